"""ONNX files from elsewhere become model files that answer as their originals do."""

import numpy as np
import onnx
import onnxruntime
import PIL.Image
import pytest
from onnx import TensorProto, helper
from tiny_graphs import CLASSES, FEATURES, SIZE_HW, by_hand, classifier, constant, model_of, ready_made, saved, weights

from beholder.errors import InvalidModel, OutputExists, UsageError
from beholder.files import file_digest
from beholder.model import Geometry, Provenance, graph_digest, load_file, read_card
from beholder.model.file import embedding_space
from beholder.zoo.importing import import_model
from beholder.zoo.importing.conventions import Conventions
from beholder.zoo.importing.foreign import read_foreign
from beholder.zoo.importing.labels import read_labels

LABELS = ("ant", "bee", "cat", "dog")
SQUASH = Geometry("squash", SIZE_HW, resample="bilinear")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture
def make(tmp_path):
    """Save a graph and import it; returns the loaded model."""

    def run(model, **options):
        source = saved(model, tmp_path / "source.onnx")
        options = {"name": "tiny", "geometry": SQUASH, "labels": LABELS, **options}
        import_model(source, tmp_path / "out.onnx", **options)
        assert file_digest(source) == file_digest(saved(model, source))
        return load_file(tmp_path / "out.onnx")

    return run


@pytest.fixture
def photo():
    random = np.random.default_rng(7)
    return PIL.Image.fromarray(random.integers(0, 256, (40, 30, 3), np.uint8))


def resized(photo):
    height, width = SIZE_HW
    return np.asarray(photo.resize((width, height), PIL.Image.Resampling.BILINEAR))


def softmax(values):
    values = np.exp(values - values.max())
    return values / values.sum()


def confidences(result):
    return {label.name: label.confidence for label in result.labels}


def check_same(model, photo, expected, tolerance=2e-6):
    found = confidences(model.predict(photo, top=0))
    assert found == pytest.approx(dict(zip(LABELS, map(float, expected), strict=True)), abs=tolerance)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_answers_are_those_of_the_original_on_the_same_pixels(make, photo, layout, order):
    original = classifier(layout=layout)
    model = make(original, conventions=Conventions(mean=MEAN, std=STD, order=order))
    expected = softmax(by_hand(original, resized(photo), mean=MEAN, std=STD, order=order, layout=layout))
    check_same(model, photo, expected)


def test_the_default_is_values_between_0_and_1(make, photo):
    original = classifier()
    check_same(make(original), photo, softmax(by_hand(original, resized(photo))))


def test_mean_and_std_are_in_units_of_the_scaled_values(make, photo):
    original = classifier()
    mean, std = (103.9, 116.8, 123.7), (58.4, 57.1, 57.4)
    model = make(original, conventions=Conventions(scale=1.0, mean=mean, std=std, order="bgr"))
    check_same(model, photo, softmax(by_hand(original, resized(photo), 1.0, mean, std, "bgr")))


def test_half_precision(make, photo):
    original = classifier(kind=TensorProto.FLOAT16)
    check_same(make(original), photo, softmax(by_hand(original, resized(photo)).astype(np.float32)), 2e-3)


def test_double_precision(make, photo):
    image = helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n", *SIZE_HW, 3])
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["y"]),
    ]
    matrix = np.random.default_rng(0).normal(0, 5, (3, CLASSES))
    output = helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["n", CLASSES])
    original = model_of(nodes, image, [output], [constant("w", matrix)])
    expected = softmax(by_hand(original, resized(photo), layout="nhwc"))
    model = make(original)
    check_same(model, photo, expected)
    assert model.embed(photo).vector == pytest.approx(resized(photo).mean((0, 1)) / 255, abs=1e-5)


def test_the_file_obeys_the_contract(make, tmp_path):
    model = make(classifier())
    graph = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(graph, full_check=True)
    assert {entry.domain: entry.version for entry in graph.opset_import} == {"": 17}
    session = onnxruntime.InferenceSession(str(tmp_path / "out.onnx"), providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["N", *SIZE_HW, 3])
    assert {output.name: output.shape for output in session.get_outputs()} == {
        "probabilities": ["N", CLASSES],
        "logits": ["N", CLASSES],
        "embedding": ["N", FEATURES],
    }
    assert model.card == read_card(tmp_path / "out.onnx")


def test_the_card_says_where_it_is_from_and_what_is_comparable(make, tmp_path):
    card = make(classifier(), provenance=Provenance(weights_license="MIT"), description="Four animals.").card
    assert card.provenance.weights_digest == file_digest(tmp_path / "source.onnx")
    assert card.provenance.weights_source == "source.onnx"
    assert card.provenance.weights_license == "MIT"
    assert (card.labels, card.description, card.multi_label) == (LABELS, "Four animals.", False)
    assert card.calibration is None
    assert card.evaluation == ()
    assert card.embedding.space == embedding_space(graph_digest(tmp_path / "out.onnx"), SQUASH)


def test_the_same_import_gives_the_same_bytes(tmp_path):
    source = saved(classifier(), tmp_path / "source.onnx")
    for name in ("a.onnx", "b.onnx"):
        import_model(source, tmp_path / name, name="tiny", geometry=SQUASH, labels=LABELS)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_what_was_read_already_is_not_read_again(tmp_path):
    source = saved(classifier(), tmp_path / "source.onnx")
    foreign = read_foreign(source)
    source.unlink()
    assert import_model(foreign, tmp_path / "out.onnx", name="t", geometry=SQUASH, labels=LABELS).labels == LABELS


# How it ends


def test_a_graph_that_ends_in_softmax_gets_no_second_one(make, photo, tmp_path):
    original = classifier(ending="Softmax", output_name="probabilities")
    check_same(make(original), photo, by_hand(original, resized(photo)))
    operators = [node.op_type for node in onnx.load(tmp_path / "out.onnx").graph.node]
    assert operators.count("Softmax") == 1


def test_softmax_in_other_words_is_noticed(make, photo):
    original = classifier(output_name="raw")
    original.graph.node.extend([
        helper.make_node("Exp", ["raw"], ["powers"]),
        helper.make_node("ReduceSum", ["powers", "axes"], ["sum"], keepdims=1),
        helper.make_node("Div", ["powers", "sum"], ["probs"]),
    ])  # fmt: skip
    original.graph.initializer.append(constant("axes", np.array([1])))
    original.graph.output[0].name = "probs"
    model = make(original)
    expected = by_hand(original, resized(photo))
    check_same(model, photo, expected)
    logits = model.runtime.run(resized(photo)[None], ["logits"])["logits"][0]
    assert softmax(logits) == pytest.approx(expected, abs=1e-5)


def test_a_graph_that_ends_in_sigmoid_is_multi_label(make, photo):
    original = classifier(ending="Sigmoid")
    model = make(original)
    assert model.card.multi_label
    check_same(model, photo, by_hand(original, resized(photo)))
    assert model.predict(photo).accepted is not None


def test_raw_scores_of_several_labels(make, photo):
    original = classifier()
    model = make(original, multi_label=True)
    assert model.card.multi_label
    check_same(model, photo, 1 / (1 + np.exp(-by_hand(original, resized(photo)).astype(np.float64))))
    assert make(original, conventions=Conventions(activation="sigmoid"), overwrite=True).card.multi_label


def test_probabilities_of_several_labels_that_are_said_to_be_ones(make, photo):
    original = classifier(ending="Sigmoid", output_name="s")
    original.graph.node.append(helper.make_node("Mul", ["s", "one"], ["scores"]))
    original.graph.initializer.append(constant("one", np.float32(1)))
    original.graph.output[0].name = "scores"
    expected = by_hand(original, resized(photo))
    model = make(original, multi_label=True, conventions=Conventions(activation="none"))
    check_same(model, photo, expected)
    logits = model.runtime.run(resized(photo)[None], ["logits"])["logits"][0]
    assert 1 / (1 + np.exp(-logits)) == pytest.approx(expected, abs=1e-5)


def test_one_score_is_a_label_of_its_own(make, tmp_path):
    original = classifier()
    original.graph.initializer[2].CopyFrom(constant("fc.weight", weights()["fc.weight"][:1]))
    original.graph.initializer[3].CopyFrom(constant("fc.bias", weights()["fc.bias"][:1]))
    original.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    with pytest.raises(UsageError, match="gives one value for each image"):
        make(original, labels=["hot dog"])
    assert make(original, labels=["hot dog"], multi_label=True).card.labels == ("hot dog",)


def test_scores_with_dimensions_of_one_are_flattened(make, photo):
    original = classifier(output_name="flat")
    original.graph.node.append(helper.make_node("Reshape", ["flat", "shape"], ["out"]))
    original.graph.initializer.append(constant("shape", np.array([-1, CLASSES, 1, 1])))
    original.graph.output[0].CopyFrom(helper.make_tensor_value_info("out", TensorProto.FLOAT, ["b", CLASSES, 1, 1]))
    check_same(make(original), photo, softmax(by_hand(original, resized(photo)).ravel()))


# What else differs


@pytest.mark.parametrize("batch", [1, 2])
def test_a_fixed_batch_is_opened(make, photo, batch):
    model = make(classifier(batch=batch))
    check_same(model, photo, softmax(by_hand(classifier(), resized(photo))))
    assert len(list(model.predict_many([photo] * 5, batch_size=5))) == 5


@pytest.mark.parametrize("allow_zero", [None, 1])
def test_a_reshape_that_names_the_batch_is_opened(make, photo, allow_zero):
    original = classifier(batch=1)
    attributes = {} if allow_zero is None else {"allowzero": allow_zero}
    original.graph.node[3].CopyFrom(helper.make_node("Reshape", ["pool", "shape"], ["features"], **attributes))
    original.graph.initializer.append(constant("shape", np.array([1, FEATURES])))
    check_same(make(original), photo, softmax(by_hand(original, resized(photo))))


def test_a_batch_that_cannot_be_opened_is_refused(make, tmp_path):
    original = classifier(batch=1)
    original.graph.node[3].CopyFrom(helper.make_node("Expand", ["pool", "shape"], ["wide"]))
    original.graph.node.insert(4, helper.make_node("Reshape", ["wide", "rows"], ["features"]))
    original.graph.initializer.append(constant("shape", np.array([1, FEATURES, 2, 1])))
    original.graph.initializer.append(constant("rows", np.array([2, FEATURES])))
    original.graph.node.append(helper.make_node("ReduceMean", ["logits"], ["one"], axes=[0], keepdims=1))
    original.graph.output[0].name = "one"
    with pytest.raises(InvalidModel, match="export it again with a dynamic batch dimension"):
        make(original)
    assert not (tmp_path / "out.onnx").exists()


def test_answers_that_depend_on_the_rest_of_the_batch_are_refused(make):
    original = classifier(output_name="raw")
    original.graph.node.append(helper.make_node("ReduceMean", ["raw"], ["average"], axes=[0], keepdims=1))
    original.graph.node.append(helper.make_node("Sub", ["raw", "average"], ["logits"]))
    original.graph.output[0].name = "logits"
    with pytest.raises(InvalidModel, match="would depend on the other images of its batch"):
        make(original)


@pytest.mark.parametrize("opset", [7, 11, 13, 16])
def test_older_operators_are_converted(make, photo, opset, tmp_path):
    original = classifier(opset=opset, ending="Softmax")
    check_same(make(original), photo, by_hand(original, resized(photo)))
    assert onnx.load(tmp_path / "out.onnx").opset_import[0].version == 17


def test_newer_operators_stay(make, tmp_path):
    make(classifier(opset=20))
    assert onnx.load(tmp_path / "out.onnx").opset_import[0].version == 20


def test_operators_that_cannot_be_converted_are_refused(make, monkeypatch):
    def fail(model, version):
        raise RuntimeError("no adapter\nfor this")

    monkeypatch.setattr("onnx.version_converter.convert_version", fail)
    with pytest.raises(InvalidModel, match=r"uses opset 11, which cannot be brought to 17; .*no adapter"):
        make(classifier(opset=11))


@pytest.mark.parametrize("channels", ["c", 3])
def test_open_height_and_width_are_fixed_by_the_geometry(make, photo, channels, tmp_path):
    original = classifier(size_hw=("h", "w"), channels=channels)
    check_same(make(original), photo, softmax(by_hand(original, resized(photo))))
    assert load_file(tmp_path / "out.onnx").runtime.input_hw == SIZE_HW


def test_old_files_list_their_weights_as_inputs(make, photo):
    original = classifier()
    original.ir_version = 3
    original.opset_import[0].version = 9
    for tensor in original.graph.initializer:
        info = helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        original.graph.input.append(info)
    modern = classifier()
    check_same(make(original), photo, softmax(by_hand(modern, resized(photo))))


def test_operator_sets_that_nothing_uses_are_dropped(make, tmp_path):
    original = classifier()
    original.opset_import.append(helper.make_opsetid("pkg.onnxscript.torch_lib", 1))
    make(original)
    assert [entry.domain for entry in onnx.load(tmp_path / "out.onnx").opset_import] == [""]


@pytest.mark.parametrize(("source", "target"), [("image", "probabilities"), ("embedding", "image"), ("logits", "x")])
def test_names_that_the_contract_needs_are_freed(make, photo, source, target):
    original = classifier(input_name=source, output_name=target)
    check_same(make(original), photo, softmax(by_hand(original, resized(photo))))


def test_names_are_freed_inside_branches_too(make, photo):
    original = classifier(input_name="image")
    branches = {}
    for name, operator in (("then_branch", "Identity"), ("else_branch", "Neg")):
        output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, None)
        node = helper.make_node(operator, ["image"], ["embedding"])
        branches[name] = helper.make_graph([node], name, [], [output])
    original.graph.initializer.append(constant("yes", np.array(True)))
    original.graph.node.insert(0, helper.make_node("If", ["yes"], ["chosen"], **branches))
    original.graph.node[1].input[0] = "chosen"
    onnx.checker.check_model(original)
    check_same(make(original), photo, softmax(by_hand(original, resized(photo))))


def test_outputs_and_weights_that_are_not_needed_are_left_out(make, tmp_path):
    original = classifier()
    original.graph.node.append(helper.make_node("Mul", ["relu", "unneeded"], ["map"]))
    original.graph.initializer.append(constant("unneeded", np.float32(2)))
    original.graph.output.append(helper.make_tensor_value_info("map", TensorProto.FLOAT, None))
    make(original)
    graph = onnx.load(tmp_path / "out.onnx").graph
    assert "unneeded" not in {tensor.name for tensor in graph.initializer}
    assert "map" not in {name for node in graph.node for name in node.output}


def test_several_outputs_need_a_name(make):
    original = classifier(output_name="a")
    original.graph.output.append(helper.make_tensor_value_info("pool", TensorProto.FLOAT, None))
    with pytest.raises(UsageError, match="the graph gives a, pool; name the one to use"):
        make(original)
    with pytest.raises(UsageError, match="'poll' is not given by the graph; did you mean 'pool'"):
        make(original, conventions=Conventions(output="poll"))
    assert make(original, conventions=Conventions(output="a")).card.labels == LABELS


# Ready made


def test_a_graph_that_obeys_the_contract_needs_only_a_card(make, photo, tmp_path):
    original = ready_made()
    model = make(original)
    source = (tmp_path / "source.onnx").read_bytes()
    assert (tmp_path / "out.onnx").read_bytes().startswith(source)
    mean = resized(photo).mean((0, 1)) / 255
    assert model.embed(photo).vector == pytest.approx(mean, abs=1e-5)
    assert model.card.embedding.dim == 3


def test_one_with_old_operators_is_converted(make, photo):
    mean = resized(photo).mean((0, 1)) / 255
    assert make(ready_made(opset=13)).embed(photo).vector == pytest.approx(mean, abs=1e-5)


def test_numbers_do_not_apply_to_pixels_as_they_are(make):
    with pytest.raises(UsageError, match="takes pixels as they are"):
        make(ready_made(), conventions=Conventions(mean=MEAN))


def test_a_model_file_is_not_imported_again(make, tmp_path):
    make(classifier())
    with pytest.raises(InvalidModel, match="is a model file already"):
        import_model(tmp_path / "out.onnx", tmp_path / "x.onnx", name="x", geometry=SQUASH, labels=LABELS)


# Embeddings


def test_the_embedding_is_what_the_last_layer_is_given(make, photo):
    original = classifier()
    vector = make(original).embed(photo).vector
    logits = vector @ weights()["fc.weight"].T + weights()["fc.bias"]
    assert logits == pytest.approx(by_hand(original, resized(photo)), abs=1e-4)


def test_a_graph_without_a_last_layer_has_none(make):
    original = classifier(output_name="raw")
    original.graph.node.append(helper.make_node("Softplus", ["raw"], ["logits"]))
    original.graph.output[0].name = "logits"
    assert make(original).card.embedding is None
    assert make(classifier(), conventions=Conventions(embedding=None), overwrite=True).card.embedding is None


def test_two_last_layers_have_none(make):
    original = classifier(output_name="first")
    original.graph.node.append(helper.make_node("Gemm", ["features", "fc.weight"], ["second"], transB=1))
    original.graph.node.append(helper.make_node("Add", ["first", "second"], ["logits"]))
    original.graph.output[0].name = "logits"
    assert make(original).card.embedding is None


def test_an_embedding_can_be_named(make):
    assert make(classifier(), conventions=Conventions(embedding="pool")).card.embedding.dim == FEATURES
    with pytest.raises(UsageError, match="the graph has no tensor 'pole'"):
        make(classifier(), conventions=Conventions(embedding="pole"), overwrite=True)
    with pytest.raises(InvalidModel, match="conv must be one row of numbers for each image"):
        make(classifier(), conventions=Conventions(embedding="conv"), overwrite=True)


def test_a_graph_that_embeds(make, photo):
    original = classifier(output_name="raw")
    original.graph.node.append(helper.make_node("LpNormalization", ["raw"], ["embedding"], axis=1, p=2))
    original.graph.output[0].name = "embedding"
    model = make(original, task="embed", labels=None)
    assert (model.card.task, model.card.embedding.dim, model.card.embedding.normalized) == ("embed", CLASSES, True)
    assert model.predict(photo).vector == pytest.approx(by_hand(original, resized(photo)), abs=1e-5)
    assert not make(classifier(), task="embed", labels=None, overwrite=True).card.embedding.normalized


# What is refused


@pytest.mark.parametrize("task", ["detect", "segment", "caption"])
def test_other_tasks_are_refused(make, task):
    with pytest.raises(UsageError, match=f"graphs that {task} have no common form"):
        make(classifier(), task=task)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": LABELS[:3]}, "labels: must be 4, one for each value that the graph gives; found 3"),
        ({"labels": None}, "labels: must be given for classify"),
        ({"labels": ("a", "b", "c", "x\x1b[0m")}, "must not hold control characters"),
        ({"task": "embed"}, "labels: must be given for classify, and only there"),
        ({"geometry": Geometry("squash", (224, 224))}, "the graph takes 12 x 16 .*, found 224 x 224"),
        ({"conventions": Conventions(layout="nhwc")}, "nhwc needs 3 channels"),
        ({"conventions": Conventions(activation="softmax"), "multi_label": True}, "softmax is for one label"),
        ({"conventions": Conventions(activation="sigmoid"), "multi_label": False}, "sigmoid is for several labels"),
    ],
)
def test_options_that_do_not_fit_are_refused(make, options, words):
    with pytest.raises(UsageError, match=words):
        make(classifier(), **options)


def test_an_ending_and_what_is_said_of_it_must_agree(make):
    with pytest.raises(UsageError, match="the graph ends in softmax, where sigmoid is asked for"):
        make(classifier(ending="Softmax"), conventions=Conventions(activation="sigmoid"))
    with pytest.raises(UsageError, match="ends in softmax, so one label may hold"):
        make(classifier(ending="Softmax"), multi_label=True)
    with pytest.raises(UsageError, match="ends in sigmoid, so several labels may hold"):
        make(classifier(ending="Sigmoid"), multi_label=False)


def test_raw_scores_called_probabilities_are_refused(make):
    with pytest.raises(InvalidModel, match="probabilities must lie between 0 and 1"):
        make(classifier(), conventions=Conventions(activation="none"))


@pytest.mark.parametrize(
    ("channels", "error", "words"),
    [(1, InvalidModel, "must take images of 3 channels"), (4, InvalidModel, r"3 channels; .* \[\?, 4, 12, 16\]")],
)
def test_other_numbers_of_channels_are_refused(make, channels, error, words):
    original = classifier(channels=channels)
    original.graph.initializer[0].CopyFrom(constant("conv.weight", np.zeros((FEATURES, channels, 3, 3), np.float32)))
    with pytest.raises(error, match=words):
        make(original)


def test_an_ambiguous_layout_must_be_named(make):
    original = classifier(size_hw=(12, 3))
    original.graph.initializer[0].CopyFrom(constant("conv.weight", np.zeros((FEATURES, 3, 3, 3), np.float32)))
    with pytest.raises(UsageError, match="nchw and nhwc both fit"):
        make(original, geometry=Geometry("squash", (12, 3)))
    make(original, geometry=Geometry("squash", (12, 3)), conventions=Conventions(layout="nchw"))


def test_a_graph_that_gives_no_numbers_is_refused(make, tmp_path):
    original = classifier(output_name="raw")
    original.graph.node.append(helper.make_node("Sqrt", ["raw"], ["logits"]))
    original.graph.output[0].name = "logits"
    with pytest.raises(InvalidModel, match="logits holds values that are not numbers"):
        make(original)
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["source.onnx"]


def test_a_shape_that_changes_with_the_image_is_refused(make):
    original = classifier(output_name="raw")
    original.graph.node.append(helper.make_node("NonZero", ["raw"], ["places"]))
    original.graph.node.append(helper.make_node("Slice", ["places", "one", "two"], ["columns"]))
    original.graph.node.append(helper.make_node("Cast", ["columns"], ["logits"], to=TensorProto.FLOAT))
    original.graph.node[1].CopyFrom(helper.make_node("Floor", ["conv"], ["relu"]))
    original.graph.node[4].CopyFrom(helper.make_node("Gemm", ["features", "fc.weight"], ["gemm"], transB=1))
    original.graph.node.insert(5, helper.make_node("Relu", ["gemm"], ["raw"]))
    original.graph.initializer.extend([constant("one", np.array([1])), constant("two", np.array([2]))])
    original.graph.output[0].name = "logits"
    with pytest.raises(InvalidModel, match="must have one shape for every image"):
        make(original)


def test_a_graph_that_cannot_run_is_refused(make):
    with pytest.raises(InvalidModel, match=r"source\.onnx: the graph fails on an input of shape \[1, 3, 2, 2\]"):
        make(classifier(size_hw=("h", "w")), geometry=Geometry("squash", (2, 2)))


def test_two_inputs_are_refused(make):
    original = classifier()
    original.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    with pytest.raises(InvalidModel, match="must have one input, an image; found pixel_values, mask"):
        make(original)


@pytest.mark.parametrize(
    ("kind", "shape", "words"),
    [
        (TensorProto.INT64, ["b", 3, 8, 8], r"element type int64 and shape \[\?, 3, 8, 8\]"),
        (TensorProto.FLOAT, ["b", 192], r"shape \[\?, 192\]"),
        (TensorProto.FLOAT, None, r"source\.onnx: not a valid ONNX graph: .*shape"),
    ],
)
def test_inputs_that_are_no_images_are_refused(make, kind, shape, words):
    image = helper.make_tensor_value_info("x", kind, shape)
    output = helper.make_tensor_value_info("y", kind, shape)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [image], [output])
    original = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(InvalidModel, match=words):
        make(original)


def test_weights_in_another_file_are_refused_before_they_are_read(make, tmp_path):
    secret = tmp_path / "weights.bin"
    secret.write_bytes(b"\0" * 10_000)
    original = classifier()
    tensor = original.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    with pytest.raises(InvalidModel, match=r"source\.onnx: keeps weights in other files"):
        make(original)


def test_operators_that_are_not_stock_are_refused(make):
    original = classifier()
    original.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    original.graph.node[1].domain = "com.microsoft"
    with pytest.raises(InvalidModel, match=r"uses operators of 'com\.microsoft'"):
        make(original)


def test_a_graph_with_no_version_is_refused(make):
    original = classifier()
    del original.opset_import[:]
    with pytest.raises(InvalidModel, match=r"source\.onnx: (not a valid ONNX graph|does not say which version)"):
        make(original)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 not onnx", b"\x3a\x05hello", b"<html>", b"\xff" * 100])
def test_what_is_no_onnx_file_is_refused(tmp_path, data):
    path = tmp_path / "source.onnx"
    path.write_bytes(data)
    with pytest.raises(InvalidModel, match=r"source\.onnx: "):
        import_model(path, tmp_path / "out.onnx", name="x", geometry=SQUASH, labels=LABELS)
    with pytest.raises(InvalidModel, match="cannot be read: No such file"):
        import_model(tmp_path / "none.onnx", tmp_path / "out.onnx", name="x", geometry=SQUASH, labels=LABELS)


def test_every_truncation_of_a_file_is_refused(tmp_path):
    data = classifier().SerializeToString()
    path = tmp_path / "source.onnx"
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(InvalidModel):
            read_foreign(path)


def test_nothing_is_overwritten(make, tmp_path):
    make(classifier())
    before = (tmp_path / "out.onnx").read_bytes()
    with pytest.raises(OutputExists, match="exists already"):
        make(classifier(seed=1))
    assert (tmp_path / "out.onnx").read_bytes() == before
    make(classifier(seed=1), overwrite=True)
    assert (tmp_path / "out.onnx").read_bytes() != before
    with pytest.raises(UsageError, match="is the file to import"):
        source = tmp_path / "source.onnx"
        import_model(source, source, name="x", geometry=SQUASH, labels=LABELS, overwrite=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": 0.0}, "scale: must be a number other than 0"),
        ({"scale": float("nan")}, "scale: must be a number"),
        ({"mean": (0.0, float("inf"), 0.0)}, "mean: must be three numbers"),
        ({"mean": (0.0, 0.0)}, "mean: must be three numbers"),
        ({"std": (1.0, 0.0, 1.0)}, "std: must not be 0"),
    ],
)
def test_conventions_are_checked(options, words):
    with pytest.raises(UsageError, match=words):
        Conventions(**options)


# Labels


@pytest.mark.parametrize(
    "text", ["ant\nbee\ncat", "ant\nbee\ncat\n", "\ufeffant\r\nbee\r\ncat\r\n\r\n", " ant \nbee\t\ncat"]
)
def test_labels_stand_one_on_a_line(tmp_path, text):
    path = tmp_path / "labels.txt"
    path.write_bytes(text.encode())
    assert read_labels(path) == ("ant", "bee", "cat")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"ant\n\nbee", r"labels\.txt: line 2: a label must not be blank"),
        (b"", "line 1: a label must not be blank"),
        (b"ant\nbee\nant\n", "line 3 repeats 'ant' of line 1; labels must differ"),
        (b"ant\nb\x1b[31mee", "line 2: a label must not hold control characters"),
        (b"ant\n\xff\xfe", "must be UTF-8 text, but invalid start byte at byte 4"),
        (b"a" * 501, "line 1: a label must have at most 500 characters, found 501"),
    ],
)
def test_labels_that_are_wrong_are_refused_by_their_line(tmp_path, data, words):
    path = tmp_path / "labels.txt"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=words):
        read_labels(path)


def test_a_file_of_labels_must_be_there_and_small(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_labels(tmp_path / "none.txt")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_labels(tmp_path)
    (tmp_path / "labels.txt").write_text("a\nb\nc")
    monkeypatch.setattr("beholder.zoo.importing.labels.MAX_LABELS", 2)
    with pytest.raises(UsageError, match="at most 2 labels, found 3"):
        read_labels(tmp_path / "labels.txt")
    monkeypatch.setattr("beholder.zoo.importing.labels.MAX_FILE_BYTES", 4)
    with pytest.raises(UsageError, match="must be under 4 bytes"):
        read_labels(tmp_path / "labels.txt")
