"""What other writers take for the same work: verify (a full decode with Pillow) or resize, then write shards.

    python ingest.py ARM MODE CORPUS OUT

Prints the seconds of the work itself, imports left out; exit status 3 if the arm's library is not installed.
One process per core, each with a writer of its own, as both libraries' documentation shows.
"""

import io
import multiprocessing
import os
import sys
import time

from PIL import Image

SHARD_BYTES = 64 << 20


def verified(data):
    """The bytes as they are, after every pixel was decoded."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
    return data


def resized(data):
    """Shorter side 256, nothing scaled up, JPEG at quality 90."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        width, height = image.size
        shorter = min(width, height)
        if shorter <= 256:
            return data
        size = (round(width * 256 / shorter), round(height * 256 / shorter))
        image = image.convert("RGB").resize(size, Image.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


WORK = {"keep": verified, "resize": resized}


def images(paths, mode):
    for path in paths:
        with open(path, "rb") as file:
            yield WORK[mode](file.read())


def webdataset(out, number, paths, mode):
    from webdataset import ShardWriter

    pattern = os.path.join(out, f"{number}-%05d.tar")
    with ShardWriter(pattern, maxsize=SHARD_BYTES, maxcount=1000, verbose=0) as writer:
        for index, data in enumerate(images(paths, mode)):
            writer.write({"__key__": f"{number}_{index:07d}", "jpg": data, "cls": 0})


def mosaic(out, number, paths, mode):
    from streaming import MDSWriter

    columns = {"image": "bytes", "label": "int"}
    with MDSWriter(out=os.path.join(out, str(number)), columns=columns, size_limit=SHARD_BYTES) as writer:
        for data in images(paths, mode):
            writer.write({"image": data, "label": 0})


ARMS = {"webdataset": webdataset, "mosaic": mosaic}


def main():
    arm, mode, corpus, out = sys.argv[1:]
    try:
        __import__({"webdataset": "webdataset", "mosaic": "streaming"}[arm])
    except ImportError:
        sys.exit(3)
    paths = sorted(entry.path for entry in os.scandir(corpus) if entry.name.lower().endswith((".jpg", ".jpeg")))
    workers = len(os.sched_getaffinity(0))
    jobs = [(out, number, paths[number::workers], mode) for number in range(workers)]
    started = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        pool.starmap(ARMS[arm], jobs, 1)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
