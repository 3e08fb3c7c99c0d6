"""Build the label table of the embedded ImageNet-1k model.

Source: WordNet 3.0, Copyright 2006 by Princeton University, All rights
reserved.  The WordNet 3.0 licence permits use, copying, modification and
distribution for any purpose and without fee, provided that the notice is kept.

An ImageNet class is named by the offset of a WordNet 3.0 noun synset, written
``n%08d``; ImageNet-1k orders its classes by that name.  For every class this
script drafts a name and a group from WordNet and then applies the tables below:

* The draft name is the first word of the synset.  ``NAMES`` replaces it where
  that word is obscure, ambiguous, or not what the pictures of the class show.
* The draft group is that of the nearest ancestor listed in ``ANCESTORS``,
  following hypernyms.  ``EXCEPTIONS`` sets the group of single classes.

A group is a path of one or two levels, broad to narrow, such as ``animal/cat``.
Its last name answers for pictures that are known to show one of its classes but
not which.  Hence a name must hold for all classes of its group, though it need
not cover all that the word may mean: whatever finds no narrow group stays at the
first level.  Narrow groups have at least three classes, and every name of a group
occurs once in the table and is no name of a class.

Both group tables give, beside each synset, its first word.  The script checks
that word, so that a different version of WordNet is noticed at once.

Usage::

    imagenet1k_labels.py IDS [--wordnet DIR] [--output FILE] [--check]

where IDS is a file with the ids, one per line, as ImageNet's own meta data
lists them, and DIR holds WordNet's ``data.noun`` (Debian: ``wordnet-base``).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DEFAULT_WORDNET = Path("/usr/share/wordnet")
DEFAULT_OUTPUT = Path(__file__).resolve().parents[1] / "src" / "beholder" / "zoo" / "builtin" / "imagenet1k.tsv"
CLASS_COUNT = 1000
MIN_NARROW_GROUP = 3

# Group -> {synset: its first word}.  A class belongs to the group of its nearest
# ancestor in this table.
ANCESTORS: dict[str, dict[str, str]] = {
    "animal": {
        "n00015388": "animal",
    },
    "animal/dog": {
        "n02084071": "dog",
        "n02087551": "hound",
    },
    "animal/wolf or wild dog": {
        "n02114100": "wolf",
        "n02115335": "wild dog",
    },
    "animal/fox": {
        "n02118333": "fox",
    },
    "animal/cat": {
        "n02121808": "domestic cat",
    },
    "animal/big cat": {
        "n02127808": "big cat",
        "n02124623": "wildcat",
    },
    "animal/bear": {
        "n02131653": "bear",
    },
    "animal/weasel, otter or badger": {
        "n02441326": "musteline mammal",
    },
    "animal/elephant": {
        "n02503517": "elephant",
    },
    "animal/hoofed animal": {
        "n02370806": "ungulate",
    },
    "animal/monkey or ape": {
        "n02484322": "monkey",
        "n02470325": "ape",
    },
    "animal/rodent": {
        "n02329401": "rodent",
    },
    "animal/rabbit or hare": {
        "n02323902": "leporid",
    },
    "animal/marsupial": {
        "n01874434": "marsupial",
    },
    "animal/sea mammal": {
        "n02062017": "aquatic mammal",
    },
    "animal/bird": {
        "n01503061": "bird",
        "n02153203": "game bird",
    },
    "animal/fish": {
        "n02512053": "fish",
    },
    "animal/shark or ray": {
        "n01482071": "elasmobranch",
    },
    "animal/snake": {
        "n01726692": "snake",
    },
    "animal/lizard": {
        "n01674464": "lizard",
    },
    "animal/turtle": {
        "n01662784": "turtle",
    },
    "animal/frog or salamander": {
        "n01627424": "amphibian",
    },
    "animal/spider or other arachnid": {
        "n01769347": "arachnid",
    },
    "animal/insect": {
        "n02159955": "insect",
    },
    "animal/butterfly": {
        "n02274259": "butterfly",
    },
    "animal/crab or lobster": {
        "n01976146": "decapod crustacean",
    },
    "animal/snail or other mollusk": {
        "n01940736": "mollusk",
    },
    "animal/sea creature": {
        "n01909422": "coelenterate",
        "n02316707": "echinoderm",
    },
    "person": {
        "n00007846": "person",
    },
    "plant or fungus/flower": {
        "n11669921": "flower",
    },
    "plant or fungus/mushroom or fungus": {
        "n12992868": "fungus",
    },
    "food or drink": {
        "n00021265": "food",
    },
    "food or drink/fruit": {
        "n07705931": "edible fruit",
    },
    "food or drink/vegetable": {
        "n07707451": "vegetable",
    },
    "food or drink/bread": {
        "n07679356": "bread",
    },
    "food or drink/meal": {
        "n07557434": "dish",
    },
    "food or drink/dessert": {
        "n07609840": "dessert",
    },
    "food or drink/drink": {
        "n07881800": "beverage",
    },
    "landscape or nature": {
        "n09287968": "geological formation",
    },
    "landscape or nature/mountain, cliff or valley": {
        "n09359803": "mountain",
    },
    "landscape or nature/shore or coast": {
        "n09433442": "shore",
    },
    "building or structure": {
        "n04341686": "structure",
        "n03546340": "housing",
    },
    "building or structure/shop or restaurant": {
        "n04202417": "shop",
        "n03722288": "marketplace",
    },
    "building or structure/place of worship": {
        "n03953416": "place of worship",
    },
    "building or structure/theater or stage": {
        "n04417809": "theater",
    },
    "building or structure/monument": {
        "n03743902": "memorial",
    },
    "building or structure/bridge": {
        "n02898711": "bridge",
    },
    "building or structure/fence or wall": {
        "n03327234": "fence",
    },
    "building or structure/roof or ceiling": {
        "n04105068": "roof",
    },
    "vehicle": {
        "n04524313": "vehicle",
        "n04576211": "wheeled vehicle",
    },
    "vehicle/car": {
        "n02958343": "car",
    },
    "vehicle/truck, bus or van": {
        "n04490091": "truck",
        "n02924116": "bus",
    },
    "vehicle/bike or scooter": {
        "n02834778": "bicycle",
        "n03790512": "motorcycle",
    },
    "vehicle/train or tram": {
        "n04468005": "train",
        "n03684823": "locomotive",
        "n02959942": "car",
    },
    "vehicle/boat or ship": {
        "n04530566": "vessel",
        "n04194289": "ship",
    },
    "vehicle/aircraft": {
        "n02686568": "aircraft",
        "n03510583": "heavier-than-air craft",
    },
    "vehicle/farm machine": {
        "n03322940": "farm machine",
    },
    "vehicle/cart or carriage": {
        "n02970849": "cart",
    },
    "furniture": {
        "n03405725": "furniture",
    },
    "furniture/chair, bench or sofa": {
        "n04161981": "seat",
    },
    "furniture/bed or cradle": {
        "n02766320": "baby bed",
        "n02818832": "bed",
    },
    "furniture/cabinet or shelf": {
        "n02933112": "cabinet",
    },
    "kitchen item": {
        "n04183329": "shaker",
    },
    "kitchen item/kitchen appliance": {
        "n03620052": "kitchen appliance",
        "n04580493": "white goods",
    },
    "kitchen item/pot or pan": {
        "n03990474": "pot",
        "n03880531": "pan",
    },
    "kitchen item/cup or glass": {
        "n03438257": "glass",
        "n03241496": "drinking vessel",
    },
    "kitchen item/bowl or tray": {
        "n02880940": "bowl",
    },
    "kitchen item/kitchen utensil": {
        "n03101986": "cooking utensil",
        "n03848348": "opener",
    },
    "container or bag": {
        "n03094503": "container",
    },
    "container or bag/bag or wallet": {
        "n02773037": "bag",
    },
    "container or bag/bottle or jug": {
        "n02876657": "bottle",
    },
    "container or bag/box or chest": {
        "n02883344": "box",
    },
    "container or bag/basket or shopping cart": {
        "n02801938": "basket",
    },
    "household object": {
        "n03309808": "fabric",
        "n03366823": "floor cover",
        "n03039947": "cleaning implement",
        "n03508101": "heater",
    },
    "household object/cosmetic or toiletry": {
        "n04447443": "toiletry",
    },
    "household object/clock": {
        "n03046257": "clock",
    },
    "household object/lamp or candle": {
        "n03636248": "lamp",
    },
    "household object/bedding": {
        "n02820210": "bedclothes",
    },
    "household object/blind or screen": {
        "n04151581": "screen",
        "n02851099": "blind",
    },
    "clothing or accessory": {
        "n03051540": "clothing",
    },
    "clothing or accessory/hat or helmet": {
        "n03502509": "headdress",
    },
    "clothing or accessory/glasses or mask": {
        "n03725035": "mask",
    },
    "clothing or accessory/shoe or boot": {
        "n03380867": "footwear",
    },
    "clothing or accessory/coat": {
        "n03057021": "coat",
    },
    "clothing or accessory/suit or tie": {
        "n03815615": "necktie",
    },
    "clothing or accessory/shirt or sweater": {
        "n04197391": "shirt",
        "n04370048": "sweater",
    },
    "clothing or accessory/dress or skirt": {
        "n03236735": "dress",
        "n04230808": "skirt",
    },
    "clothing or accessory/robe or cloak": {
        "n04097866": "robe",
        "n03450516": "gown",
        "n03045337": "cloak",
    },
    "clothing or accessory/swimwear": {
        "n04371563": "swimsuit",
    },
    "device or machine/computer or office equipment": {
        "n03082979": "computer",
        "n03163973": "data input device",
    },
    "device or machine/phone or handheld device": {
        "n04401088": "telephone",
    },
    "device or machine/audio or video equipment": {
        "n03278248": "electronic equipment",
        "n03078287": "communication system",
        "n03274561": "electro-acoustic transducer",
    },
    "device or machine/camera": {
        "n02942699": "camera",
    },
    "device or machine/home appliance": {
        "n02729837": "appliance",
        "n03528263": "home appliance",
    },
    "device or machine/self-service machine": {
        "n04243941": "slot machine",
    },
    "tool or instrument": {
        "n03574816": "instrument",
        "n03563967": "implement",
    },
    "tool or instrument/hand or power tool": {
        "n03489162": "hand tool",
        "n03265032": "edge tool",
        "n03997484": "power tool",
    },
    "tool or instrument/garden or farm tool": {
        "n03418242": "garden tool",
    },
    "tool or instrument/lock or fastener": {
        "n03323703": "fastener",
    },
    "tool or instrument/measuring instrument": {
        "n03733925": "measuring instrument",
    },
    "tool or instrument/medical equipment": {
        "n03739693": "medical instrument",
    },
    "musical instrument/string instrument": {
        "n04338517": "stringed instrument",
    },
    "musical instrument/wind instrument": {
        "n04586932": "wind instrument",
    },
    "musical instrument/percussion instrument": {
        "n03915437": "percussion instrument",
    },
    "musical instrument/keyboard instrument": {
        "n03928116": "piano",
    },
    "sports equipment or toy": {
        "n03414162": "game equipment",
    },
    "sports equipment or toy/ball": {
        "n02778669": "ball",
    },
    "sports equipment or toy/gym equipment": {
        "n03472232": "gymnastic apparatus",
        "n04571292": "weight",
    },
    "sports equipment or toy/toy": {
        "n03964744": "plaything",
    },
    "weapon or armor": {
        "n04565375": "weapon",
        "n04187061": "sheath",
    },
    "weapon or armor/gun": {
        "n03343853": "firearm",
    },
    "weapon or armor/armor or shield": {
        "n02739668": "armor",
        "n02740764": "armor plate",
    },
    "sign, text or stationery/pen": {
        "n03906997": "pen",
    },
}

# Group -> {class: its first word}.  These classes do not follow ANCESTORS, mostly
# because people, or the pictures of the class, see it differently than WordNet.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "animal": {
        "n02445715": "skunk",
    },
    "animal/bear": {
        "n02510455": "giant panda",
    },
    "animal/elephant": {
        "n01871265": "tusker",
    },
    "plant or fungus": {
        "n07802026": "hay",
    },
    "plant or fungus/flower": {
        "n07730033": "cardoon",
        "n11879895": "rapeseed",
    },
    "plant or fungus/nut or berry": {
        "n12267677": "acorn",
        "n12620546": "hip",
        "n12768682": "buckeye",
    },
    "plant or fungus/mushroom or fungus": {
        "n07734744": "mushroom",
    },
    "food or drink/vegetable": {
        "n12144580": "corn",
        "n13133613": "ear",
    },
    "food or drink/meal": {
        "n07579787": "plate",
        "n07711569": "mashed potato",
        "n07831146": "carbonara",
    },
    "food or drink/dessert": {
        "n07836838": "chocolate sauce",
    },
    "landscape or nature": {
        "n03530642": "honeycomb",
        "n04275548": "spider web",
        "n09229709": "bubble",
    },
    "landscape or nature/mountain, cliff or valley": {
        "n09246464": "cliff",
        "n09468604": "valley",
    },
    "landscape or nature/shore or coast": {
        "n09399592": "promontory",
        "n09421951": "sandbar",
    },
    "building or structure": {
        "n02843684": "birdhouse",
        "n02966193": "carousel",
        "n03240683": "drilling platform",
        "n03355925": "flagpole",
        "n03717622": "manhole cover",
        "n03733131": "maypole",
        "n03733281": "maze",
        "n04562935": "water tower",
    },
    "building or structure/shop or restaurant": {
        "n04081281": "restaurant",
    },
    "building or structure/place of worship": {
        "n02699494": "altar",
        "n02825657": "bell cote",
        "n03781244": "monastery",
    },
    "building or structure/theater or stage": {
        "n04296562": "stage",
        "n04418357": "theater curtain",
    },
    "building or structure/monument": {
        "n03837869": "obelisk",
        "n03903868": "pedestal",
        "n04458633": "totem pole",
    },
    "building or structure/dock, pier or breakwater": {
        "n02894605": "breakwater",
        "n03216828": "dock",
        "n03933933": "pier",
    },
    "vehicle": {
        "n03208938": "disk brake",
        "n03445924": "golfcart",
        "n03841143": "odometer",
        "n03843555": "oil filter",
        "n03874293": "paddlewheel",
        "n04162706": "seat belt",
    },
    "vehicle/car": {
        "n02965783": "car mirror",
        "n02974003": "car wheel",
        "n03459775": "grille",
    },
    "vehicle/truck, bus or van": {
        "n02701002": "ambulance",
        "n04065272": "recreational vehicle",
        "n04252225": "snowplow",
    },
    "vehicle/bike or scooter": {
        "n03791053": "motor scooter",
        "n04482393": "tricycle",
        "n04509417": "unicycle",
    },
    "vehicle/train or tram": {
        "n04335435": "streetcar",
    },
    "vehicle/aircraft": {
        "n04592741": "wing",
    },
    "vehicle/farm machine": {
        "n04465501": "tractor",
    },
    "furniture/cabinet or shelf": {
        "n02870880": "bookcase",
        "n03016953": "chiffonier",
        "n03290653": "entertainment center",
        "n03337140": "file",
        "n04550184": "wardrobe",
    },
    "kitchen item": {
        "n03207743": "dishrag",
        "n03950228": "pitcher",
        "n03961711": "plate rack",
    },
    "kitchen item/kitchen appliance": {
        "n04330267": "stove",
    },
    "kitchen item/pot or pan": {
        "n03133878": "Crock Pot",
        "n03259280": "Dutch oven",
    },
    "kitchen item/cup or glass": {
        "n03733805": "measuring cup",
        "n07930864": "cup",
    },
    "kitchen item/bowl or tray": {
        "n04476259": "tray",
    },
    "kitchen item/kitchen utensil": {
        "n03041632": "cleaver",
        "n03633091": "ladle",
        "n03786901": "mortar",
        "n04332243": "strainer",
        "n04597913": "wooden spoon",
    },
    "container or bag": {
        "n03710193": "mailbox",
    },
    "container or bag/bag or wallet": {
        "n04548362": "wallet",
    },
    "container or bag/basket or shopping cart": {
        "n04204347": "shopping cart",
    },
    "container or bag/barrel, bucket or can": {
        "n02747177": "ashcan",
        "n02795169": "barrel",
        "n02909870": "bucket",
        "n03764736": "milk can",
        "n04049303": "rain barrel",
    },
    "household object": {
        "n02786058": "Band Aid",
        "n02877765": "bottlecap",
        "n03026506": "Christmas stocking",
        "n03544143": "hourglass",
        "n03666591": "lighter",
        "n03729826": "matchstick",
        "n03794056": "mousetrap",
        "n03803284": "muzzle",
        "n03825788": "nipple",
        "n04040759": "radiator",
        "n04456115": "torch",
        "n04522168": "vase",
    },
    "household object/bathroom item": {
        "n02808304": "bath towel",
        "n02808440": "bathtub",
        "n03970156": "plunger",
        "n04209239": "shower curtain",
        "n04254120": "soap dispenser",
        "n04447861": "toilet seat",
        "n04493381": "tub",
        "n04553703": "washbasin",
        "n15075141": "toilet tissue",
    },
    "household object/lamp or candle": {
        "n03637318": "lampshade",
        "n04380533": "table lamp",
    },
    "household object/bedding": {
        "n03938244": "pillow",
        "n04235860": "sleeping bag",
    },
    "household object/blind or screen": {
        "n04201297": "shoji",
    },
    "clothing or accessory": {
        "n02834397": "bib",
        "n02910353": "buckle",
        "n03197337": "digital watch",
        "n03476684": "hair slide",
        "n03485794": "handkerchief",
        "n03814639": "neck brace",
        "n03814906": "necklace",
        "n04507155": "umbrella",
        "n04525038": "velvet",
        "n04599235": "wool",
    },
    "clothing or accessory/glasses or mask": {
        "n03724870": "mask",
        "n04355933": "sunglass",
        "n04356056": "sunglasses",
    },
    "clothing or accessory/suit or tie": {
        "n04350905": "suit",
    },
    "clothing or accessory/robe or cloak": {
        "n03045698": "cloak",
    },
    "clothing or accessory/swimwear": {
        "n03710637": "maillot",
    },
    "device or machine": {
        "n03126707": "crane",
        "n03857828": "oscilloscope",
        "n04258138": "solar dish",
        "n04286575": "spotlight",
        "n04372370": "switch",
    },
    "device or machine/computer or office equipment": {
        "n03492542": "hard disc",
        "n03777754": "modem",
        "n03782006": "monitor",
        "n03793489": "mouse",
        "n03924679": "photocopier",
        "n04004767": "printer",
        "n04152593": "screen",
        "n04264628": "space bar",
        "n04505470": "typewriter keyboard",
    },
    "device or machine/phone or handheld device": {
        "n03485407": "hand-held computer",
        "n03584254": "iPod",
        "n04074963": "remote control",
    },
    "device or machine/audio or video equipment": {
        "n02978881": "cassette",
        "n03529860": "home theater",
        "n04009552": "projector",
    },
    "device or machine/camera": {
        "n03657121": "lens cap",
    },
    "device or machine/home appliance": {
        "n03271574": "electric fan",
        "n04554684": "washer",
    },
    "device or machine/self-service machine": {
        "n02977058": "cash machine",
        "n03425413": "gas pump",
        "n03891332": "parking meter",
    },
    "tool or instrument": {
        "n02666196": "abacus",
        "n02815834": "beaker",
        "n03065424": "coil",
        "n03920288": "Petri dish",
        "n03992509": "potter's wheel",
        "n04423845": "thimble",
        "n04485082": "tripod",
        "n04579432": "whistle",
    },
    "tool or instrument/hand or power tool": {
        "n02966687": "carpenter's kit",
    },
    "tool or instrument/garden or farm tool": {
        "n02797295": "barrow",
        "n03967562": "plow",
        "n04208210": "shovel",
    },
    "tool or instrument/lock or fastener": {
        "n02999410": "chain",
        "n03532672": "hook",
    },
    "tool or instrument/measuring instrument": {
        "n03706229": "magnetic compass",
        "n04238763": "slide rule",
    },
    "tool or instrument/medical equipment": {
        "n03141823": "crutch",
        "n03868863": "oxygen mask",
        "n04336792": "stretcher",
    },
    "musical instrument": {
        "n03929660": "pick",
    },
    "musical instrument/percussion instrument": {
        "n03250847": "drumstick",
    },
    "musical instrument/keyboard instrument": {
        "n02672831": "accordion",
        "n03854065": "organ",
    },
    "sports equipment or toy": {
        "n03379051": "football helmet",
        "n03873416": "paddle",
        "n03888257": "parachute",
        "n04019541": "puck",
        "n04039381": "racket",
        "n04067472": "reel",
        "n04149813": "scoreboard",
        "n04228054": "ski",
        "n04251144": "snorkel",
        "n04371774": "swing",
    },
    "sports equipment or toy/gym equipment": {
        "n04023962": "punching bag",
    },
    "sports equipment or toy/toy": {
        "n03598930": "jigsaw puzzle",
        "n03944341": "pinwheel",
    },
    "weapon or armor": {
        "n03467068": "guillotine",
    },
    "sign, text or stationery": {
        "n02892201": "brass",
        "n06794110": "street sign",
        "n06874185": "traffic light",
    },
    "sign, text or stationery/office supply": {
        "n02840245": "binder",
        "n03291819": "envelope",
        "n03658185": "letter opener",
        "n03908618": "pencil box",
        "n03908714": "pencil sharpener",
        "n04116512": "rubber eraser",
    },
    "sign, text or stationery/book or page": {
        "n06359193": "web site",
        "n06596364": "comic book",
        "n06785654": "crossword puzzle",
        "n07248320": "book jacket",
        "n07565083": "menu",
    },
}

# Class -> name, where WordNet's first word is not good enough.
NAMES: dict[str, str] = {
    "n01440764": "tench (fish)",
    "n01494475": "hammerhead shark",
    "n01514668": "rooster",
    "n01530575": "brambling (finch)",
    "n01534433": "junco (songbird)",
    "n01558993": "American robin",
    "n01560419": "bulbul (songbird)",
    "n01580077": "jay (bird)",
    "n01601694": "dipper (bird)",
    "n01608432": "kite (bird)",
    "n01622779": "great gray owl",
    "n01629819": "fire salamander",
    "n01631663": "eft (young newt)",
    "n01664065": "loggerhead sea turtle",
    "n01665541": "leatherback sea turtle",
    "n01667778": "terrapin (turtle)",
    "n01677366": "green iguana",
    "n01682714": "green anole",
    "n01685808": "whiptail lizard",
    "n01687978": "agama lizard",
    "n01693334": "European green lizard",
    "n01697457": "Nile crocodile",
    "n01704323": "triceratops (dinosaur)",
    "n01728572": "worm snake",
    "n01734418": "kingsnake",
    "n01744401": "African rock python",
    "n01755581": "diamondback rattlesnake",
    "n01756291": "sidewinder rattlesnake",
    "n01768244": "trilobite (fossil)",
    "n01770081": "harvestman (daddy longlegs)",
    "n01773797": "European garden spider",
    "n01774384": "black widow spider",
    "n01796340": "ptarmigan (grouse)",
    "n01817953": "African grey parrot",
    "n01820546": "lorikeet (parrot)",
    "n01824575": "coucal (cuckoo)",
    "n01828970": "bee-eater (bird)",
    "n01829413": "hornbill (bird)",
    "n01843065": "jacamar (bird)",
    "n01847000": "male duck (drake)",
    "n01855032": "red-breasted merganser (duck)",
    "n01871265": "tusker (elephant with tusks)",
    "n01872401": "echidna (spiny anteater)",
    "n01930112": "nematode (roundworm)",
    "n01943899": "conch (sea snail)",
    "n01955084": "chiton (mollusk)",
    "n01990800": "isopod (pill bug)",
    "n02009912": "great egret",
    "n02011460": "bittern (heron)",
    "n02012849": "crane (bird)",
    "n02013706": "limpkin (wading bird)",
    "n02017213": "purple swamphen",
    "n02018795": "bustard (bird)",
    "n02025239": "ruddy turnstone (shorebird)",
    "n02027492": "dunlin (sandpiper)",
    "n02028035": "redshank (sandpiper)",
    "n02033041": "dowitcher (shorebird)",
    "n02066245": "gray whale",
    "n02071294": "killer whale (orca)",
    "n02074367": "dugong (sea cow)",
    "n02085620": "Chihuahua (dog)",
    "n02085782": "Japanese Chin (dog)",
    "n02086079": "Pekingese (dog)",
    "n02086240": "Shih Tzu (dog)",
    "n02086646": "King Charles spaniel (Blenheim)",
    "n02086910": "papillon (dog)",
    "n02088238": "basset hound",
    "n02088632": "bluetick coonhound",
    "n02089867": "Treeing Walker coonhound",
    "n02090379": "redbone coonhound",
    "n02090622": "borzoi (Russian wolfhound)",
    "n02091134": "whippet (dog)",
    "n02091831": "Saluki (dog)",
    "n02092339": "Weimaraner (dog)",
    "n02093256": "Staffordshire bull terrier",
    "n02095314": "wire fox terrier",
    "n02096051": "Airedale terrier",
    "n02096177": "cairn terrier",
    "n02096437": "Dandie Dinmont terrier",
    "n02096585": "Boston terrier",
    "n02097298": "Scottish terrier",
    "n02097658": "Australian silky terrier",
    "n02098413": "Lhasa apso (dog)",
    "n02100236": "German shorthaired pointer",
    "n02100583": "vizsla (dog)",
    "n02101556": "Clumber spaniel",
    "n02102040": "English springer spaniel",
    "n02104029": "kuvasz (dog)",
    "n02104365": "schipperke (dog)",
    "n02105056": "Belgian sheepdog (Groenendael)",
    "n02105162": "Belgian Malinois (dog)",
    "n02105251": "Briard (dog)",
    "n02105412": "Australian kelpie (dog)",
    "n02105505": "komondor (dog)",
    "n02106030": "collie (dog)",
    "n02106382": "Bouvier des Flandres (dog)",
    "n02106550": "Rottweiler (dog)",
    "n02107142": "Doberman pinscher",
    "n02107574": "Greater Swiss mountain dog",
    "n02107908": "Appenzeller mountain dog",
    "n02108000": "Entlebucher mountain dog",
    "n02108089": "boxer (dog)",
    "n02108422": "bullmastiff (dog)",
    "n02109047": "Great Dane (dog)",
    "n02109525": "Saint Bernard (dog)",
    "n02109961": "Eskimo dog (husky)",
    "n02110063": "Alaskan malamute",
    "n02110341": "Dalmatian (dog)",
    "n02110627": "affenpinscher (dog)",
    "n02110806": "basenji (dog)",
    "n02110958": "pug (dog)",
    "n02111129": "Leonberger (dog)",
    "n02111277": "Newfoundland dog",
    "n02111500": "Great Pyrenees (dog)",
    "n02111889": "Samoyed (dog)",
    "n02112018": "Pomeranian (dog)",
    "n02112137": "chow chow (dog)",
    "n02112350": "keeshond (dog)",
    "n02112706": "Brussels griffon (dog)",
    "n02113023": "Pembroke Welsh corgi",
    "n02113186": "Cardigan Welsh corgi",
    "n02113978": "Mexican hairless dog",
    "n02114367": "gray wolf",
    "n02114548": "Arctic wolf",
    "n02115913": "dhole (Asian wild dog)",
    "n02116738": "African wild dog",
    "n02120505": "gray fox",
    "n02123045": "tabby cat",
    "n02125311": "cougar (mountain lion)",
    "n02134084": "polar bear",
    "n02168699": "longhorn beetle",
    "n02177972": "weevil (beetle)",
    "n02190166": "fly (insect)",
    "n02229544": "cricket (insect)",
    "n02231487": "stick insect",
    "n02236044": "praying mantis",
    "n02264363": "lacewing (insect)",
    "n02276258": "admiral butterfly",
    "n02277742": "ringlet butterfly",
    "n02279972": "monarch butterfly",
    "n02280649": "cabbage white butterfly",
    "n02281406": "sulphur butterfly",
    "n02281787": "gossamer-winged butterfly",
    "n02325366": "cottontail rabbit",
    "n02328150": "Angora rabbit",
    "n02361337": "marmot (rodent)",
    "n02389026": "sorrel horse",
    "n02395406": "pig",
    "n02412080": "ram (male sheep)",
    "n02415577": "bighorn sheep",
    "n02417914": "ibex (wild goat)",
    "n02422106": "hartebeest (antelope)",
    "n02422699": "impala (antelope)",
    "n02437312": "dromedary camel",
    "n02443114": "European polecat",
    "n02483362": "gibbon (ape)",
    "n02483708": "siamang (gibbon)",
    "n02484975": "guenon monkey",
    "n02486261": "patas monkey",
    "n02488291": "langur monkey",
    "n02488702": "colobus monkey",
    "n02492035": "capuchin monkey",
    "n02493509": "titi monkey",
    "n02497673": "ring-tailed lemur",
    "n02500267": "indri (lemur)",
    "n02504013": "Asian elephant",
    "n02509815": "red panda",
    "n02514041": "barracouta (fish)",
    "n02536864": "coho salmon",
    "n02606052": "rock beauty (angelfish)",
    "n02607072": "clownfish",
    "n02641379": "gar (fish)",
    "n02655020": "pufferfish",
    "n02667093": "abaya (robe)",
    "n02704792": "amphibious vehicle",
    "n02727426": "apiary (beehives)",
    "n02747177": "trash can",
    "n02777292": "balance beam (gymnastics)",
    "n02782093": "hot-air balloon",
    "n02783161": "ballpoint pen",
    "n02786058": "adhesive bandage",
    "n02788148": "banister (handrail)",
    "n02797295": "wheelbarrow",
    "n02799071": "baseball (ball)",
    "n02802426": "basketball (ball)",
    "n02804414": "bassinet (baby basket)",
    "n02807133": "swimming cap",
    "n02814533": "station wagon",
    "n02814860": "lighthouse",
    "n02815834": "laboratory beaker",
    "n02817516": "bearskin hat",
    "n02825657": "bell cote (small bell tower)",
    "n02835271": "tandem bicycle",
    "n02840245": "ring binder",
    "n02869837": "bonnet (hat)",
    "n02871525": "bookstore",
    "n02877765": "bottle cap",
    "n02879718": "bow (archery)",
    "n02892201": "memorial plaque",
    "n02892767": "bra",
    "n02895154": "breastplate (armor)",
    "n02910353": "belt buckle",
    "n02930766": "taxi",
    "n02939185": "cauldron",
    "n02963159": "cardigan (sweater)",
    "n02966687": "tool kit",
    "n02971356": "carton (cardboard box)",
    "n02977058": "cash machine (ATM)",
    "n02978881": "cassette tape",
    "n02992529": "mobile phone",
    "n02999410": "metal chain",
    "n03000134": "chain-link fence",
    "n03000247": "chain mail (armor)",
    "n03000684": "chainsaw",
    "n03014705": "storage chest",
    "n03016953": "chest of drawers",
    "n03017168": "chimes (bells)",
    "n03032252": "movie theater",
    "n03041632": "meat cleaver",
    "n03047690": "clog (shoe)",
    "n03065424": "coil or spiral",
    "n03089624": "candy store",
    "n03100240": "convertible (car)",
    "n03110669": "cornet or trumpet",
    "n03125729": "cradle (baby bed)",
    "n03126707": "crane (machine)",
    "n03131574": "baby crib",
    "n03133878": "slow cooker",
    "n03146219": "cuirass (body armor)",
    "n03187595": "rotary dial telephone",
    "n03207743": "dishcloth",
    "n03208938": "disc brake",
    "n03216828": "boat dock",
    "n03220513": "dome (roof)",
    "n03240683": "offshore drilling platform",
    "n03250847": "drumstick (for a drum)",
    "n03259280": "Dutch oven (pot)",
    "n03297495": "espresso machine",
    "n03337140": "filing cabinet",
    "n03345487": "fire truck",
    "n03347037": "fireplace screen",
    "n03388549": "four-poster bed",
    "n03393912": "railroad freight car",
    "n03424325": "gas mask",
    "n03445924": "golf cart",
    "n03447447": "gondola (boat)",
    "n03450230": "gown (long dress)",
    "n03459775": "car grille",
    "n03476684": "hair clip",
    "n03478589": "half-track vehicle",
    "n03482405": "hamper (lidded basket)",
    "n03483316": "hair dryer",
    "n03485407": "handheld computer",
    "n03492542": "hard disk drive",
    "n03496892": "combine harvester",
    "n03532672": "metal hook",
    "n03534580": "hoop skirt",
    "n03535780": "horizontal bar (gymnastics)",
    "n03538406": "horse-drawn cart",
    "n03584254": "iPod (music player)",
    "n03584829": "clothes iron",
    "n03590841": "jack-o'-lantern (pumpkin)",
    "n03594734": "jeans",
    "n03595614": "T-shirt or jersey",
    "n03599486": "rickshaw",
    "n03602883": "joystick (game controller)",
    "n03627232": "knot (in a rope)",
    "n03642806": "laptop computer",
    "n03657121": "camera lens cap",
    "n03666591": "cigarette lighter",
    "n03673027": "ocean liner",
    "n03680355": "loafer (shoe)",
    "n03692522": "jeweler's loupe (magnifier)",
    "n03697007": "sawmill",
    "n03710637": "one-piece swimsuit (maillot)",
    "n03710721": "one-piece swimsuit (tank suit)",
    "n03721384": "marimba or xylophone",
    "n03742115": "medicine cabinet",
    "n03743016": "megalith (standing stones)",
    "n03761084": "microwave oven",
    "n03777568": "Ford Model T",
    "n03782006": "computer monitor",
    "n03786901": "mortar and pestle",
    "n03787032": "graduation cap",
    "n03792972": "camping tent",
    "n03793489": "computer mouse",
    "n03803284": "muzzle (for an animal)",
    "n03804744": "nail (metal)",
    "n03825788": "baby bottle nipple",
    "n03832673": "notebook computer",
    "n03840681": "ocarina (flute)",
    "n03854065": "pipe organ",
    "n03871628": "packet (small package)",
    "n03873416": "boat paddle",
    "n03874293": "paddle wheel",
    "n03877472": "pajamas",
    "n03884397": "pan flute",
    "n03888605": "parallel bars (gymnastics)",
    "n03895866": "railroad passenger car",
    "n03902125": "pay phone",
    "n03908618": "pencil case",
    "n03929660": "guitar pick",
    "n03929855": "spiked helmet (pickelhaube)",
    "n03930630": "pickup truck",
    "n03947888": "pirate ship",
    "n03950228": "pitcher (jug)",
    "n03954731": "carpenter's plane",
    "n03961711": "dish rack",
    "n03970156": "toilet plunger",
    "n03976657": "pole (rod)",
    "n03983396": "soda bottle",
    "n03991062": "flowerpot",
    "n04004767": "computer printer",
    "n04019541": "hockey puck",
    "n04033901": "quill pen",
    "n04037443": "race car",
    "n04039381": "racket (sports)",
    "n04040759": "radiator (heater)",
    "n04065272": "recreational vehicle (RV)",
    "n04067472": "fishing reel",
    "n04086273": "revolver (handgun)",
    "n04111531": "rotisserie (spit roaster)",
    "n04116512": "eraser",
    "n04118776": "ruler",
    "n04125021": "safe (strongbox)",
    "n04136333": "sarong (wrap skirt)",
    "n04141076": "saxophone",
    "n04141327": "scabbard (sword sheath)",
    "n04141975": "weighing scale",
    "n04147183": "schooner (sailing ship)",
    "n04152593": "display screen",
    "n04153751": "screw (fastener)",
    "n04200800": "shoe store",
    "n04201297": "shoji (paper screen)",
    "n04243546": "slot machine",
    "n04264628": "space bar (key)",
    "n04277352": "spindle (for spinning yarn)",
    "n04325704": "stole (shawl)",
    "n04335435": "streetcar (tram)",
    "n04336792": "stretcher (for patients)",
    "n04344873": "sofa bed",
    "n04346328": "stupa (Buddhist shrine)",
    "n04350905": "suit (clothes)",
    "n04355933": "dark glasses",
    "n04367480": "mop",
    "n04371774": "swing (playground)",
    "n04372370": "electrical switch",
    "n04389033": "military tank",
    "n04399382": "teddy bear",
    "n04417672": "thatched roof",
    "n04428191": "threshing machine",
    "n04456115": "flaming torch",
    "n04462240": "toy store",
    "n04467665": "semi-trailer truck",
    "n04483307": "trimaran (sailboat)",
    "n04493381": "tub or vat",
    "n04515003": "upright piano",
    "n04517823": "vacuum cleaner",
    "n04523525": "vaulted ceiling",
    "n04525038": "velvet (fabric)",
    "n04532106": "vestment (clergy robe)",
    "n04532670": "viaduct (bridge)",
    "n04550184": "wardrobe (closet)",
    "n04552348": "military aircraft",
    "n04553703": "washbasin (sink)",
    "n04554684": "washing machine",
    "n04591157": "Windsor tie (necktie)",
    "n04592741": "airplane wing",
    "n04596742": "wok (pan)",
    "n04604644": "split-rail fence",
    "n04606251": "shipwreck",
    "n04612504": "yawl (boat)",
    "n04613696": "yurt (round tent)",
    "n06359193": "website",
    "n07579787": "plate of food",
    "n07584110": "clear soup (consommé)",
    "n07590611": "hot pot (stew)",
    "n07613480": "trifle (dessert)",
    "n07615774": "ice pop (popsicle)",
    "n07684084": "French bread loaf",
    "n07697537": "hot dog",
    "n07711569": "mashed potatoes",
    "n07714571": "cabbage",
    "n07730033": "cardoon (thistle plant)",
    "n07742313": "Granny Smith apple",
    "n07747607": "orange (fruit)",
    "n07831146": "spaghetti carbonara",
    "n07871810": "meatloaf",
    "n07875152": "pot pie",
    "n07920052": "espresso coffee",
    "n09193705": "high mountain",
    "n09332890": "lakeshore",
    "n09399592": "promontory (headland)",
    "n09835506": "baseball player",
    "n10148035": "bridegroom",
    "n11879895": "rapeseed (canola)",
    "n12057211": "yellow lady's slipper (orchid)",
    "n12620546": "rose hip",
    "n12768682": "buckeye (horse chestnut)",
    "n12998815": "agaric (mushroom)",
    "n13037406": "false morel (gyromitra)",
    "n13040303": "stinkhorn (fungus)",
    "n13044778": "earthstar (fungus)",
    "n13052670": "hen-of-the-woods (fungus)",
    "n13054560": "bolete (mushroom)",
    "n13133613": "ear of corn",
    "n15075141": "toilet paper",
}


class LabelError(Exception):
    """The inputs and the tables of this script do not fit together."""


@dataclass(frozen=True)
class Synset:
    """The part of a WordNet noun synset that the label table needs."""

    word: str
    hypernyms: tuple[str, ...]


@dataclass(frozen=True)
class Label:
    """One line of the label table."""

    wordnet_id: str
    name: str
    group: str


def read_nouns(path: Path) -> dict[str, Synset]:
    """Read WordNet's ``data.noun`` into a mapping from id to synset."""
    nouns: dict[str, Synset] = {}
    with path.open(encoding="latin-1") as lines:
        for line in lines:
            if line.startswith(" "):  # the licence, at the top of the file
                continue
            fields = line.partition(" | ")[0].split()
            word_count = int(fields[3], 16)
            first_pointer = 5 + 2 * word_count
            pointer_count = int(fields[first_pointer - 1])
            pointers = fields[first_pointer : first_pointer + 4 * pointer_count]
            nouns["n" + fields[0]] = Synset(
                word=fields[4].replace("_", " "),
                hypernyms=tuple(
                    "n" + offset
                    for symbol, offset in zip(pointers[0::4], pointers[1::4], strict=True)
                    if symbol in ("@", "@i")
                ),
            )
    return nouns


def read_ids(path: Path) -> list[str]:
    """Read the class ids; they must be complete, sorted and without repeats."""
    ids = path.read_text(encoding="ascii").split()
    if len(ids) != CLASS_COUNT:
        raise LabelError(f"{path}: expected {CLASS_COUNT} ids, found {len(ids)}")
    if ids != sorted(set(ids)):
        raise LabelError(f"{path}: the ids are not sorted or not unique")
    return ids


def invert(table: dict[str, dict[str, str]], nouns: dict[str, Synset]) -> dict[str, str]:
    """Turn a group table into a mapping from synset to group, checking the words."""
    groups: dict[str, str] = {}
    for group, synsets in table.items():
        for synset_id, word in synsets.items():
            if synset_id not in nouns or nouns[synset_id].word != word:
                raise LabelError(f"{synset_id} is not {word!r}; is this WordNet 3.0?")
            if synset_id in groups:
                raise LabelError(f"{synset_id} {word!r} is listed in two groups")
            groups[synset_id] = group
    return groups


def nearest_group(wordnet_id: str, nouns: dict[str, Synset], groups: dict[str, str]) -> str | None:
    """Return the group of the nearest listed ancestor, or None without one."""
    seen = {wordnet_id}
    level = [wordnet_id]
    while level:
        found = {groups[synset_id] for synset_id in level if synset_id in groups}
        if len(found) > 1:
            raise LabelError(f"{wordnet_id} is equally near to {sorted(found)}")
        if found:
            return found.pop()
        parents = {parent for child in level for parent in nouns[child].hypernyms}
        level = sorted(parents - seen)
        seen |= parents
    return None


def build(ids: list[str], nouns: dict[str, Synset]) -> list[Label]:
    """Derive the label of every class, in class-index order."""
    ancestors = invert(ANCESTORS, nouns)
    exceptions = invert(EXCEPTIONS, nouns)
    unknown = sorted((NAMES.keys() | exceptions.keys()) - set(ids))
    if unknown:
        raise LabelError(f"not among the ids: {', '.join(unknown)}")
    labels: list[Label] = []
    for wordnet_id in ids:
        if wordnet_id not in nouns:
            raise LabelError(f"{wordnet_id} is not a noun of this WordNet")
        name = NAMES.get(wordnet_id, nouns[wordnet_id].word)
        group = exceptions.get(wordnet_id)
        if group is None:
            group = nearest_group(wordnet_id, nouns, ancestors)
        if group is None:
            raise LabelError(f"no group for {wordnet_id} {name!r}")
        labels.append(Label(wordnet_id, name, group))
    check_names(label.name for label in labels)
    check_groups(labels)
    return labels


def check_names(names: Iterable[str]) -> None:
    """Make sure that no name repeats, ignoring case, or has stray white space."""
    seen: set[str] = set()
    for name in names:
        if name != " ".join(name.split()):
            raise LabelError(f"stray white space in {name!r}")
        if name.casefold() in seen:
            raise LabelError(f"{name!r} names two classes")
        seen.add(name.casefold())


def check_groups(labels: list[Label]) -> None:
    """Make sure that the groups keep the rules stated at the top."""
    sizes = Counter(label.group for label in labels)
    taken = {label.name.casefold(): f"the class {label.name!r}" for label in labels}
    broad = {group.partition("/")[0] for group in sizes}
    for group in [*sorted(broad), *sorted(sizes.keys() - broad)]:
        parent, _, narrow = group.partition("/")
        name = narrow or parent
        if "/" in narrow or not name or name != " ".join(name.split()):
            raise LabelError(f"{group!r} is not a path of one or two names")
        if name.casefold() in taken:
            raise LabelError(f"the group {group!r} is named like {taken[name.casefold()]}")
        if narrow and sizes[group] < MIN_NARROW_GROUP:
            raise LabelError(f"the group {group!r} has only {sizes[group]} classes")
        taken[name.casefold()] = f"the group {group!r}"


def format_table(labels: Iterable[Label]) -> str:
    """Write the labels as tab-separated text with a header line."""
    lines = ["wordnet_id\tname\tgroup"]
    lines += [f"{label.wordnet_id}\t{label.name}\t{label.group}" for label in labels]
    return "\n".join(lines) + "\n"


def print_sizes(labels: Iterable[Label]) -> None:
    """Print how many classes each group has, the narrow groups below their broad one."""
    sizes = Counter(label.group for label in labels)
    totals: Counter[str] = Counter()
    for group, size in sizes.items():
        totals[group.partition("/")[0]] += size
    for broad, total in totals.most_common():
        print(f"{total:4d}  {broad}")
        for group, size in sizes.most_common():
            if group.startswith(broad + "/"):
                print(f"{size:10d}  {group}")


def main(argv: list[str] | None = None) -> int:
    """Write the table, or compare it with the one there, and print the sizes of the groups."""
    parser = argparse.ArgumentParser(description="Build the label table of the embedded ImageNet-1k model.")
    parser.add_argument("ids", type=Path, help="the 1000 class ids, one per line")
    parser.add_argument(
        "--wordnet",
        type=Path,
        default=DEFAULT_WORDNET,
        metavar="DIR",
        help="folder with WordNet 3.0's data.noun (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=DEFAULT_OUTPUT,
        metavar="FILE",
        help="the table to write (default: the one in the package)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare with the table in FILE instead of writing it",
    )
    options = parser.parse_args(argv)

    try:
        labels = build(read_ids(options.ids), read_nouns(options.wordnet / "data.noun"))
        table = format_table(labels).encode("utf-8")
        if not options.check:
            options.output.write_bytes(table)
        elif options.output.read_bytes() != table:
            raise LabelError(f"{options.output} is not what this script produces")
    except (LabelError, OSError) as error:
        print(f"imagenet1k_labels: {error}", file=sys.stderr)
        return 1

    print_sizes(labels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
