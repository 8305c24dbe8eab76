"""`textae topics`: what a model of documents found, measured, and beside scikit-learn's LDA on the same words; documents on a map."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

MAP_WORDS = 3  # name a topic in the figure
GRAYS = ("#94a4a2", "#717581")  # of the palette, which are left to the topics without a color of their own
SNIPPET = 120  # characters of a document in the map's JSON


def topics(
    model: Annotated[str, typer.Argument(help="A model of documents: folder of a run, or Hub id.")],
    data: Annotated[str, typer.Option(help="A named data set; empty: the one of the model's own run.")] = "",
    split: Annotated[str, typer.Option(help="Held-out split.")] = "valid",
    words: Annotated[int, typer.Option("--words", min=2, max=100, help="Top words of a topic, by which coherence is measured too.")] = 10,
    samples: Annotated[int, typer.Option(min=1, help="Importance-weighted draws for each held-out document.")] = 100,
    lda: Annotated[bool, typer.Option(help="Whether to fit scikit-learn's LDA on the same words, with as many topics.")] = True,
    lda_iterations: Annotated[int, typer.Option(min=1, help="Of that.")] = 20,
    num: Annotated[int, typer.Option("--num", "-n", min=5, max=10_000, help="Training documents on the map.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of draws, LDA and map.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to the screen.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A folder for topics.json, map.json and map.svg; none: no map.")] = None,
) -> None:
    """Top words, coherence (NPMI) and held-out perplexity per word of a model of documents, beside LDA, and a map.

    textae topics runs/ptb_topics_prodlda -o topics
    """
    if out is not None:
        check_out(out)
    report, spread = describe(
        model, data=data, split=split, num_words=words, samples=samples, lda_iterations=lda_iterations if lda else 0,
        num=num if out is not None else 0, seed=seed,
    )  # fmt: skip
    if out is not None:
        write(report, spread, out)
    typer.echo(json.dumps(report, ensure_ascii=False, indent=1) if as_json else table(report))
    if out is not None:
        typer.echo(f"{out}: topics.json, map.json, map.svg", err=True)


def describe(
    model: str, *, data: str = "", split: str = "valid", num_words: int = 10, samples: int = 100, lda_iterations: int = 20, num: int = 0, seed: int = 0
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of a model of documents, and (with `num`) its map.

    Args:
        model: Folder or Hub id.
        data: A named data set; empty takes the model's own.
        split: What perplexity is measured on; topics are judged on the training split.
        num_words: Top words of a topic.
        samples: Importance-weighted draws.
        lda_iterations: Of scikit-learn's LDA; 0 leaves it out.
        num: Training documents on the map; 0 makes none.
        seed: Of draws, LDA and map.

    Returns:
        `{"on", "samples", "seed", "models": [{"name", "word_ppl", "npmi", "diversity", "topics": [{"words", "npmi", "share"}]}]}`,
        and `{"documents": [{"x", "y", "topic", "text"}], "topics": [[word]], "method"}`, empty without `num`.

    Raises:
        ValueError: The model is not one of documents, or its own data set is not known.
    """
    from apps.catalog import modality_of, open_space
    from apps.modalities import documents as kind
    from textae.topics.lda import fit

    if modality_of(model) is not kind:
        raise ValueError(f"{model!r} is no model of documents: train one with `textae train --config text/ptb_topics_prodlda`")
    space = open_space(model)
    source = source_of(space, data)
    train, counts = kind.with_counts(space, kind.read_documents(source, "train"), "train")
    held_out, held_counts = kind.with_counts(space, kind.read_documents(source, split), split)
    figures = space.evaluate(held_out, samples=samples, seed=seed)
    leading = leading_topics(space, train)
    found = [judged(space.name, figures.get("word_ppl"), [[space.processor.ids[w] for w in t] for t in space.topics(num_words)], leading, counts, space)]
    found[0] |= {name: figures[name] for name in ("elbo_word_ppl", "nll", "kl", "active_units") if name in figures}
    if lda_iterations:
        import numpy as np

        fitted = fit(counts, space.latent_dim, iterations=lda_iterations, seed=seed)
        nll = fitted.nll(held_counts, samples, seed)
        best = np.argsort(-fitted.topics, 1, kind="stable")[:, :num_words].tolist()
        name = f"LDA (scikit-learn, {lda_iterations} iterations)"
        found.append(judged(name, float(np.exp(nll.sum() / held_counts.sum())), best, fitted.posteriors(counts).argmax(1), counts, space))
        found[1]["nll"] = float(nll.mean())
    texts = f"{source['group']} consecutive texts" if source["group"] > 1 else "one text"
    on = f"{source['name']}: {counts.shape[0]:,} training documents, {held_counts.shape[0]:,} of {split}, each {texts}; {held_counts.shape[1]:,} words"
    report = {"on": on, "samples": samples, "seed": seed, "models": found}
    return report, (make_map(space, train, leading, num, seed) if num else {})


def source_of(space: Any, data: str) -> dict[str, Any]:
    """The section `data` of a model's own run, or a named data set with the run's grouping."""
    from apps.modalities.documents import DATA_KEYS
    from textae.core.config import read_config

    run = space.folder / "run.yaml"
    own = read_config(run)["data"] if run.is_file() else {}
    if data and data != own.get("name"):
        return {"name": data, "group": own.get("group", 1)}
    if not own:
        raise ValueError(f"{space.name!r} has no run.yaml that says what it was trained on: give --data")
    return {"group": 1, **{k: v for k, v in own.items() if k not in DATA_KEYS or k in ("name", "group")}}


def leading_topics(space: Any, documents: list[str]) -> Any:
    """The topic that each document has most of; of a Gaussian code the dimension furthest above its mean.

    Shape (N,), integers. Dimensions of a Gaussian code differ in spread, so they are compared in standard deviations.
    """
    shares = space.shares(documents)
    if space.model.config.code == "gaussian":
        shares = (shares - shares.mean(0)) / shares.std(0).clamp_min(1e-6)
    return shares.argmax(1).numpy()


def judged(name: str, word_ppl: float | None, topics: list[list[int]], leading: Any, counts: Any, space: Any) -> dict[str, Any]:
    """One model's row of the report: its topics with their coherence in the training documents, and the means."""
    import numpy as np

    from textae.topics.coherence import diversity, npmi

    values, led = npmi(topics, counts), np.bincount(leading, minlength=len(topics)) / len(leading)
    rows = [
        {"words": [space.processor.vocabulary[i] for i in topic], "npmi": float(value), "share": float(share)}
        for topic, value, share in zip(topics, values, led, strict=True)
    ]
    return {"name": name, "word_ppl": word_ppl, "npmi": float(values.mean()), "diversity": diversity(topics), "topics": rows}


def make_map(space: Any, documents: list[str], leading: Any, num: int, seed: int) -> dict[str, Any]:
    """Documents in the plane: the code itself where it is 2-D, else t-SNE (van der Maaten & Hinton 2008) of what the decoder reads.

    The documents are `num` of those given, drawn with `seed`.
    """
    import numpy as np

    chosen = np.sort(np.random.default_rng(seed).permutation(len(documents))[:num])
    texts = [documents[i] for i in chosen]
    if space.latent_dim == 2:
        plane, method = space.encode(texts).numpy(), "the code"
    else:
        from sklearn.manifold import TSNE

        if len(texts) < 5:
            raise ValueError(f"a map needs at least 5 documents; there are {len(texts)}")
        perplexity = min(30, (len(texts) - 1) / 3)
        plane = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(space.shares(texts).numpy())
        method = f"t-SNE of the {'shares of topics' if space.model.config.code == 'simplex' else 'codes'}, perplexity {perplexity:g}"
    points = [
        {"x": round(float(x), 4), "y": round(float(y), 4), "topic": int(topic), "text": text if len(text) <= SNIPPET else text[:SNIPPET] + " …"}
        for (x, y), topic, text in zip(plane, leading[chosen], texts, strict=True)
    ]
    return {"documents": points, "topics": space.topics(min(10, len(space.processor.vocabulary))), "method": method}


def table(report: dict[str, Any]) -> str:
    """The report as text: the topics of each model, best coherence first, and one line of figures for each."""
    lines = [report["on"]]
    for row in report["models"]:
        lines += ["", row["name"], " npmi  leads  top words"]
        order = sorted(range(len(row["topics"])), key=lambda k: -row["topics"][k]["npmi"])
        lines += [f"{t['npmi']:5.2f}  {100 * t['share']:4.1f}%  {' '.join(t['words'])}" for t in (row["topics"][k] for k in order)]
    lines += ["", f"{'':44}{'NPMI':>7}{'diversity':>11}{'perplexity per word':>21}"]
    for row in report["models"]:
        ppl = "none (a point code)" if row["word_ppl"] is None else f"{row['word_ppl']:.1f}"
        lines.append(f"{row['name'][-43:]:44}{row['npmi']:7.3f}{row['diversity']:11.2f}{ppl:>21}")
    lines.append(f"Perplexities from importance-weighted bounds of {report['samples']} draws; NPMI in the training documents.")
    return "\n".join(lines)


def check_out(out: Path) -> None:
    """Refuse, before the work, a place where no folder can be.

    Raises:
        ValueError: With what stands in the way.
    """
    there = next(path for path in (out.absolute(), *out.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise ValueError(f"{there} is no folder, and -o {out} is to be one, for topics.json, map.json and map.svg: choose another name")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"the folder {there} cannot be written to, so -o {out} cannot be made or filled: choose another")


def write(report: dict[str, Any], spread: dict[str, Any], out: Path) -> None:
    """`topics.json`, `map.json` and `map.svg` in a folder, which may exist."""
    from textae.core.files import write_text
    from vision.figures.style import save

    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "topics.json", json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    write_text(out / "map.json", json.dumps(spread, ensure_ascii=False) + "\n")
    save(draw(spread), out / "map.svg")


def draw(spread: dict[str, Any]) -> Any:
    """The map as a figure: a dot for each document, in the color of its leading topic where that is one of the eight commonest."""
    import numpy as np

    from vision.figures.style import PALETTE, SUBDUED, UNLABELLED, new_figure, styled

    palette = [color for color in PALETTE if color not in GRAYS]

    @styled
    def figure() -> Any:
        points = spread["documents"]
        plane, leading = np.array([[p["x"], p["y"]] for p in points]), np.array([p["topic"] for p in points])
        common = [int(k) for k in np.argsort(-np.bincount(leading, minlength=len(spread["topics"])), kind="stable")[: len(palette)] if (leading == k).any()]
        drawn = new_figure(9.6, 6.6, f"{len(points):,} documents by their topics")
        axes = drawn.add_subplot()
        size = float(np.clip(12_000 / len(points), 4, 30))
        rest = ~np.isin(leading, common)
        if rest.any():
            axes.scatter(*plane[rest].T, s=size, color=UNLABELLED, linewidths=0, label=f"{len(set(leading[rest].tolist()))} other topics")
        for color, topic in zip(palette, common, strict=False):
            cloud = plane[leading == topic]
            axes.scatter(*cloud.T, s=size, color=color, linewidths=0, alpha=0.85, label=" · ".join(spread["topics"][topic][:MAP_WORDS]))
        axes.set(xticks=[], yticks=[])
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(spread["method"], color=SUBDUED)
        handles, labels = axes.get_legend_handles_labels()
        order = [*range(1, len(labels)), 0] if rest.any() else range(len(labels))  # the others last
        legend = drawn.legend([handles[i] for i in order], [labels[i] for i in order], loc="outside right center", markerscale=2, title="leading topic")
        legend._legend_box.align = "left"
        return drawn

    return figure()
