"""Maps of made-up points for tests of the picture: groups on a ring, each with two within it."""

from __future__ import annotations

import numpy as np

from shoald.cli.map_picture import MapGroup, MapPoints

WORDS = ["river", "bread", "chess", "comet", "violin", "archive", "socket", "thread", "parser", "encoding", "matrix"]
WORDS += ["kernel", "orchid", "glacier", "tariff"]
HOSTILE = "</script><img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


def ring_of_groups(groups: int, *, hostile: str | None = None) -> list[MapGroup]:
    """Return so many groups with two within each, the first of all named as given."""
    labels = [f"{WORDS[at % len(WORDS)]} {at}" for at in range(groups)]
    labels[0] = hostile or labels[0]
    first = [
        MapGroup(cluster_id=f"cl_{at}", label=label, path=label, parent=-1, level=0) for at, label in enumerate(labels)
    ]
    within = [
        MapGroup(
            cluster_id=f"cl_{at}_sub_{part}",
            label=f"part {part}",
            path=f"{labels[at]} / part {part}",
            parent=at,
            level=1,
        )
        for at in range(groups)
        for part in range(2)
    ]
    return first + within


def points_on(groups: int, n: int, *, hostile: str | None = None) -> MapPoints:
    """Return n points, the last twentieth of them in no group; texts of some 25 words, the first as given."""
    random = np.random.default_rng(5)
    angle = np.arange(groups) / groups * 2 * np.pi
    group, part = np.arange(n) % groups, (np.arange(n) // groups) % 2
    near = random.normal(scale=0.25, size=(n, 2))
    x = 5 * np.cos(angle[group]) + 0.8 * part + near[:, 0]
    y = 3 * np.sin(angle[group]) + near[:, 1]
    deepest = np.where(np.arange(n) >= n - n // 20, -1, groups + 2 * group + part)
    texts = [" ".join(row) for row in np.asarray(WORDS)[random.integers(0, len(WORDS), (n, 25))].tolist()]
    texts[:1] = [hostile] if hostile else texts[:1]
    return MapPoints(
        ids=[f"doc_{at:06d}" for at in range(n)],
        texts=texts,
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        group=deepest.astype(np.int32),
    )
