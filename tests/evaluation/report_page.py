"""What is on a report's page."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "input", "link", "hr", "wbr"}


class Page(HTMLParser):
    """What is on a page: checks that its elements nest."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.numbers, self.attributes, self.words = [], [], set(), [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag == "data":
            self.numbers.add(dict(attributes)["value"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def shown(self):
        return " ".join(" ".join(self.words).split())
