#!/usr/bin/env python3
"""An independent judge of a swinpipe dataset: it shares no code with swinpipe and asks the readers that people use.

    judge.py DATASET [--source DIR] [--truth truth.csv] [--expect JSON]

DATASET is a local folder. With --source every object of the folder is looked up in the manifest and its bytes are
compared; with --truth also what became of each kind of dirt. --expect holds figures that must be met exactly, in the
JSON itself or in a file: {"version": 0, "rows": 100, "actions": {"kept": 90}, "reasons": {}, "splits": {"train": 80},
"row_group_size": 16777216}; what it does not name is not judged. Prints a line per check; exit code 1 if one failed.
"""

import os

for switch in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ[switch] = "1"

import argparse, csv, hashlib, io, json, logging, re, sys, tempfile, traceback
from collections import Counter, defaultdict
from functools import cached_property
from pathlib import Path

import datasets, duckdb, mlcroissant, numpy, polars, pyarrow, yaml
import pyarrow.parquet as parquet
from deltalake import DeltaTable
from PIL import Image, ImageFile, ImageOps

ACTIONS = "deferred quarantined duplicate split_conflict ignored removed reencoded repaired renamed resized kept".split()
IN_DATASET = {"reencoded", "repaired", "renamed", "resized", "kept"}
IN_QUARANTINE = {"quarantined", "split_conflict"}
CHANGES = "format eoi cmyk depth palette alpha first_frame orientation resize rename".split()
REASONS = """empty truncated corrupt too_many_pixels too_many_bytes unsupported error_page lfs_pointer unknown mislabeled
    animated no_label unknown_class label_conflict no_split split_conflict unreadable""".split()
BY_REFERENCE = {"too_many_bytes", "unreadable"}  # quarantined without their bytes
COLUMNS = dict(image=pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]), label=pyarrow.int64(),
               split=pyarrow.string(), id=pyarrow.string(), image_sha256=pyarrow.string(), cluster=pyarrow.string(),
               group=pyarrow.string(), fold=pyarrow.int64(), width=pyarrow.int32(), height=pyarrow.int32(),
               copy=pyarrow.int32(), augment=pyarrow.string())
MANIFEST = """uri etag size id image_sha256 label group declared_format real_format action changes reason detail width
    height mode orientation frames phash cluster duplicate_of split fold copies shard row run version""".split()
KEY = ["id", "label", "split", "image_sha256", "copy"]  # what all readers must agree on
EXTRAS = [name for name in COLUMNS if name != "image"]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def relative(root, path):
    return Path(path).resolve().relative_to(root).as_posix()


def key(path, percent=False):
    """The manifest's spelling of a path: bytes that are not UTF-8 as %XX; `percent` spells a literal % as %25 too."""
    path = path.replace("%", "%25") if percent else path
    return "".join(f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in path)


def differ(name, got, wanted):
    """A problem for each item that two counters do not share."""
    got, wanted = (c if isinstance(c, Counter) else Counter(list(c)) for c in (got, wanted))
    yield from (f"{name}: {n}× only here: {item}" for item, n in (got - wanted).items())
    yield from (f"{name}: {n}× missing: {item}" for item, n in (wanted - got).items())


class Dataset:
    """What pyarrow and deltalake say; the other readers are held against it."""

    def __init__(self, root, source, expect):
        self.root, self.source, self.expect = Path(root).resolve(), source and Path(source), expect
        self.delta = DeltaTable(str(self.root))
        self.uris = self.delta.file_uris()
        self.files = sorted(relative(self.root, uri) for uri in self.uris)
        self.actions = {a["path"]: a for a in pyarrow.table(self.delta.get_add_actions(flatten=True)).to_pylist()}
        self.shards = {file: parquet.ParquetFile(self.root / file) for file in self.files}

    @cached_property
    def classes(self):
        """Class names of the shards; None in a dataset without labels."""
        names = {json.dumps(features(shard).get("label", {}).get("names")) for shard in self.shards.values()}
        assert len(names) <= 1, f"shards have different classes: {names}"
        return json.loads(names.pop()) if names else None

    @cached_property
    def rows(self):
        """(shard, row) → the row, without its bytes."""
        read = {file: shard.read(columns=EXTRAS).to_pylist() for file, shard in self.shards.items()}
        return {(file, i): row for file, rows in read.items() for i, row in enumerate(rows)}

    @cached_property
    def keys(self):
        return Counter(tuple(row[k] for k in KEY) for row in self.rows.values())

    @cached_property
    def manifest(self):
        """The latest row of each (uri, id, label) over all parts, sorted by uri."""
        parts = [p for p in (self.root / "_manifest").glob("*.parquet") if not p.name.endswith(".shards.parquet")]
        parts.sort(key=lambda p: (int(p.name.split("-")[0]), p.name))
        rows = [row for part in parts for row in parquet.read_table(part).to_pylist()]
        latest = {(row["uri"], row["id"], row["label"]): row for row in rows}
        return sorted(latest.values(), key=lambda row: (row["uri"], row["version"]))

    @cached_property
    def quarantine(self):
        """(uri, id) → row, with its bytes."""
        rows = [r for p in (self.root / "_quarantine").glob("*.parquet") for r in parquet.read_table(p).to_pylist()]
        return {(row["uri"], row["id"]): row for row in rows}

    @cached_property
    def objects(self):
        """uri → path of each file of the source; both spellings of a literal % are known to the manifest or not."""
        known, found = {row["uri"] for row in self.manifest}, {}
        for folder, _, names in os.walk(self.source):
            for name in names:
                path = os.path.join(folder, name)
                rel = os.path.relpath(path, self.source)
                found[key(rel, percent=key(rel) not in known and key(rel, True) in known)] = path
        return found

    def image(self, file, row):
        """Bytes of one stored image, by its row group only; None if there is no such row."""
        for group in range(self.shards[file].num_row_groups if file in self.shards else 0):
            length = self.shards[file].metadata.row_group(group).num_rows
            if row < length:
                return self.shards[file].read_row_group(group, columns=["image.bytes"])["image"][row]["bytes"].as_py()
            row -= length

    def label(self, value):
        """A manifest's label as a code: it may be a name or already a code."""
        return self.classes.index(value) if isinstance(value, str) and self.classes else value


def features(shard):
    return json.loads(shard.schema_arrow.metadata[b"huggingface"])["info"]["features"]


def schema(d):
    """shards: Arrow schema and Hugging Face metadata"""
    for file, shard in d.shards.items():
        arrow = shard.schema_arrow
        if [(f.name, f.type) for f in arrow] != list(COLUMNS.items()):
            yield f"{file}: schema is {arrow.remove_metadata()}"
            continue
        children = [arrow.field("image").type.field(i) for i in range(2)]
        yield from (f"{file}: {f.name} must be nullable" for f in [*list(arrow)[:2], *children] if not f.nullable)
        for place, metadata in ("schema", arrow.metadata), ("key-values", shard.metadata.metadata):
            info = json.loads((metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
            if info.get("image", {}).get("_type") != "Image":
                yield f"{file}: no Image feature in the {place}"
            if "label" in info and info["label"].get("_type") != "ClassLabel":
                yield f"{file}: label is no ClassLabel in the {place}"


def encoding(d):
    """shards: encoding, compression, page index, row groups"""
    limit = d.expect.get("row_group_size", 16 << 20)
    for file, shard in d.shards.items():
        for g in range(shard.num_row_groups):
            group = shard.metadata.row_group(g)
            for column in (group.column(c) for c in range(group.num_columns)):
                where = f"{file} row group {g} {column.path_in_schema}"
                if not column.has_offset_index:
                    yield f"{where}: no offset index"
                if column.path_in_schema == "image.bytes":
                    if column.compression != "UNCOMPRESSED" or column.has_dictionary_page or "PLAIN" not in column.encodings:
                        yield f"{where}: {column.compression} {column.encodings} instead of uncompressed plain"
                elif column.compression != "ZSTD" and column.path_in_schema != "image.path":
                    yield f"{where}: {column.compression} instead of ZSTD"
            sizes = [len(image["bytes"]) for image in shard.read_row_group(g, columns=["image.bytes"])["image"].to_pylist()]
            stored = sum(group.column(c).total_compressed_size for c in range(group.num_columns))
            if stored > limit + max(1 << 20, *sizes):  # a group may end with the batch or the image that fills it
                yield f"{file}: row group {g} has {stored} bytes, more than {limit}"


def identity(d):
    """rows: digests, identity, one split per id and cluster"""
    for file, shard in d.shards.items():
        images = (r["image"] for b in shard.iter_batches(64, columns=["image", "image_sha256"]) for r in b.to_pylist())
        for i, image in enumerate(images):
            if sha256(image["bytes"]) != d.rows[file, i]["image_sha256"]:
                yield f"{file} row {i}: image_sha256 is not the digest of the bytes"
    keys = Counter((r["id"], r["label"], r["copy"]) for r in d.rows.values())
    yield from (f"(id, label, copy) {k} is {n} rows" for k, n in keys.items() if n > 1)
    for column in "id", "cluster", "group":
        splits = defaultdict(set)
        for row in d.rows.values():
            splits[row[column]].add(row["split"])
        yield from (f"{column} {k} is in {sorted(v)}" for k, v in splits.items() if k is not None and len(v) > 1)
    yield from (f"{file} row {i}: split {r['split']}" for (file, i), r in d.rows.items() if file.split("/")[1] != r["split"])
    for at, r in d.rows.items():
        if (r["copy"] == 0) != (r["augment"] is None) or not re.fullmatch("[0-9a-f]{64}", r["id"]):
            yield f"{at}: copy {r['copy']}, augment {r['augment']}, id {r['id']}"


def delta(d):
    """delta: files, statistics and schema of the version"""
    wanted = d.expect.get("version", d.delta.version())
    if d.delta.version() != wanted:
        yield f"version {d.delta.version()} instead of {wanted}"
    fields = [(f.name, f.type) for f in pyarrow.schema(d.delta.schema().to_arrow())]
    yield from differ("schema", fields, COLUMNS.items())
    if d.delta.metadata().partition_columns:
        yield f"partitioned by {d.delta.metadata().partition_columns}"
    known = set(d.files)
    for version in range(d.delta.version()):
        known |= {relative(d.root, uri) for uri in DeltaTable(str(d.root), version=version).file_uris()}
    on_disk = {relative(d.root, p) for p in (d.root / "data").rglob("*") if p.is_file()}
    yield from (f"{file}: in no version" for file in sorted(on_disk - known))
    yield from (f"{file}: not on disk" for file in d.files if file not in on_disk)
    for file, shard in d.shards.items():
        a, size = d.actions[file], (d.root / file).stat().st_size
        if (a["num_records"], a["size_bytes"]) != (shard.metadata.num_rows, size):
            yield f"{file}: log says {a['num_records']} rows, {a['size_bytes']} bytes: {shard.metadata.num_rows}, {size} it has"
        if {a.get("min.split"), a.get("max.split")} != {file.split("/")[1]}:
            yield f"{file}: split statistics are {a.get('min.split')}…{a.get('max.split')}"


def readers(d):
    """duckdb, polars, deltalake: the same rows"""
    columns = ", ".join(KEY)
    sources = {"duckdb, Delta file list": d.uris}
    on_disk = {relative(d.root, p) for p in (d.root / "data").rglob("*.parquet")}
    if on_disk == set(d.files):  # a glob also reads what only older versions need
        sources["duckdb, glob"] = [str(d.root / "data/*/*.parquet")]
    for name, files in sources.items():
        rows = duckdb.sql(f"SELECT {columns} FROM read_parquet($files)", params={"files": files}).fetchall()
        yield from differ(name, rows, d.keys)
    hashes = duckdb.sql("SELECT count(*) FROM read_parquet($f) WHERE sha256(image.bytes) <> image_sha256", params={"f": d.uris})
    yield from (f"duckdb: {n} digests differ" for n in hashes.fetchall()[0] if n)
    yield from differ("polars scan_delta", polars.scan_delta(str(d.root)).select(KEY).collect().rows(), d.keys)
    table = pyarrow.table(d.delta.to_pyarrow_table(columns=KEY)).to_pylist()
    yield from differ("deltalake", (tuple(r[k] for k in KEY) for r in table), d.keys)


def hugging_face(d):
    """datasets: splits, features, counts of the manifest, every image decodes"""
    counts, seen = Counter(), Counter()
    with tempfile.TemporaryDirectory() as cache:
        loaded = datasets.load_dataset(str(d.root), cache_dir=cache)
        names = {split: "validation" if split == "val" else split for split in {r["split"] for r in d.rows.values()}}
        yield from differ("split", loaded, names.values())
        for split, name in names.items():
            image, label = (loaded[name].features[column] for column in ("image", "label"))
            if not isinstance(image, datasets.Image) or getattr(label, "names", None) != d.classes:
                yield f"{name}: image is {image}, label is {label}"
            for row in loaded[name]:
                image = row["image"]
                seen[tuple(row[k] for k in KEY)] += 1
                counts[row["split"], row["label"]] += 1
                image.load()
                if row["split"] != split or image.size != (row["width"], row["height"]) or image.mode not in ("L", "RGB"):
                    yield f"{row['id']}: {row['split']}, {image.mode}, {image.size}, not {row['width']}×{row['height']}"
                if image.getexif().get(0x0112, 1) != 1 or getattr(image, "n_frames", 1) != 1:
                    yield f"{row['id']}: not upright or of several frames"
        yield from differ("datasets", seen, d.keys)
    manifest = Counter()
    for row in d.manifest:
        if row["action"] in IN_DATASET:
            manifest[row["split"], d.label(row["label"])] += 1 + (row["copies"] or 0)
    yield from differ("(split, class) against the manifest", counts, manifest)


def manifest(d):
    """manifest: closed words, places in shards, duplicates"""
    yield from differ("column", d.manifest[0] if d.manifest else MANIFEST, MANIFEST)
    original = {(r["id"], r["label"]): at for at, r in d.rows.items() if r["copy"] == 0}
    places, uris, ids = set(), {r["uri"] for r in d.manifest}, {r["id"] for r in d.manifest}
    for row in d.manifest:
        where, action, reason = row["uri"], row["action"], row["reason"]
        changes = row["changes"] if isinstance(row["changes"], list) else (row["changes"] or "").split(",")
        words = [action not in ACTIONS and action, reason not in [None, *REASONS] and reason]
        yield from (f"{where}: unknown word {w}" for w in words + [c for c in changes if c not in [*CHANGES, ""]] if w)
        if action in IN_QUARANTINE and not reason:
            yield f"{where}: {action} without a reason"
        if action == "duplicate" and row["duplicate_of"] not in uris | ids - {None} or row["duplicate_of"] == where:
            yield f"{where}: duplicate of {row['duplicate_of']}, which is not in the manifest"
        if action in IN_DATASET:
            at = row["shard"], row["row"]
            sample = d.rows.get(at)
            same = ["id", "image_sha256", "split", "width", "height", "cluster"]
            wanted = [row[k] for k in same] + [d.label(row["label"]), 0]
            if not sample or [sample[k] for k in [*same, "label", "copy"]] != wanted:
                yield f"{where}: {at} is {sample}, not {dict(zip([*same, 'label', 'copy'], wanted))}"
            places.add(at)
            if action == "kept" and (row["image_sha256"] != row["id"] or any(changes)):
                yield f"{where}: kept, but changed: {changes}"
    yield from (f"{at}: no manifest row" for at in sorted(set(original.values()) - places))
    figures = dict(rows=len(d.rows), actions=Counter(r["action"] for r in d.manifest),
                   reasons=Counter(r["reason"] for r in d.manifest if r["action"] in IN_QUARANTINE),
                   splits=Counter(r["split"] for r in d.rows.values()))
    wrong = [n for n in figures if n in d.expect and figures[n] != d.expect[n]]
    yield from (f"{name}: {figures[name]} instead of the expected {d.expect[name]}" for name in wrong)


def files(d):
    """manifest: shard table, and digests of all parts in the commit"""
    tables = sorted((d.root / "_manifest").glob("*.shards.parquet"), key=lambda p: int(p.name.split("-")[0]))
    table = {row["path"]: row for path in tables for row in parquet.read_table(path).to_pylist()}
    for file, shard in d.shards.items():
        data = (d.root / file).read_bytes()
        wanted = dict(sha256=sha256(data), bytes=len(data), rows=shard.metadata.num_rows, split=file.split("/")[1])
        if {k: table.get(file, {}).get(k) for k in wanted} != wanted:
            yield f"{file}: the shard table says {table.get(file)}, it has {wanted}"
    commits = [json.loads(line) for p in (d.root / "_delta_log").glob("*.json") for line in p.open(encoding="utf-8")]
    domains = "".join(c["domainMetadata"]["configuration"] for c in commits if "domainMetadata" in c)
    for path in [p for folder in ("_manifest", "_quarantine") for p in (d.root / folder).glob("*.parquet")]:
        if path.name not in domains or sha256(path.read_bytes()) not in domains:
            yield f"{relative(d.root, path)}: its name and digest are in no domain metadata"


def source(d):
    """source: one row per object, bytes of kept and quarantined ones"""
    rows = defaultdict(list)
    for row in d.manifest:
        rows[row["uri"]].append(row)
    yield from (f"{u}: in the manifest, not in the source" for u in rows if u not in d.objects and rows[u][-1]["version"] == d.delta.version())
    for uri, path in d.objects.items():
        data = Path(path).read_bytes()
        mine = [row for row in rows[uri] if row["id"] in (sha256(data), None)]
        if len(mine) != 1:
            yield f"{uri}: {len(mine)} rows: {[(r['id'], r['action']) for r in rows[uri]]}"
            continue
        row = mine[0]
        if row["size"] != len(data) or row["id"] is None and row["action"] in IN_DATASET:
            yield f"{uri}: size {row['size']}, id {row['id']}; {len(data)} bytes it has"
        if row["action"] in ("kept", "renamed") and d.image(row["shard"], row["row"]) != data:
            yield f"{uri}: {row['action']}, but its bytes differ"
        if row["action"] in IN_QUARANTINE:
            stored = d.quarantine.get((uri, row["id"]), {})
            if stored.get("reason") != row["reason"] or stored.get("bytes") != data and row["reason"] not in BY_REFERENCE:
                yield f"{uri}: {row['reason']}, but the quarantine has {stored.get('reason')} and other bytes"


def pixels(d):
    """source: re-encoded images against Pillow's own decode"""
    ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = True, None
    for row in d.manifest:
        if row["action"] not in IN_DATASET - {"kept", "renamed"} or row["uri"] not in d.objects:
            continue
        try:
            picture = Image.open(d.objects[row["uri"]])
            picture.seek(0)
            wanted = plain(ImageOps.exif_transpose(picture))
        except Exception as error:
            print(f"     note: Pillow cannot decode {row['uri']}: {error}")
            continue
        got = Image.open(io.BytesIO(d.image(row["shard"], row["row"]) or b"")).convert("RGB")
        if got.size != wanted.size and "resize" in row["changes"]:
            wanted = wanted.resize(got.size, Image.Resampling.LANCZOS)
        if got.size != wanted.size:
            yield f"{row['uri']}: {got.size} instead of {wanted.size}"
            continue
        difference = numpy.abs(numpy.asarray(got, float) - numpy.asarray(wanted, float)).mean()
        if difference >= 6:
            yield f"{row['uri']} ({row['action']} {row['changes']}): mean difference {difference:.1f} of 255"


def plain(picture):
    """On white, 8 bits, RGB."""
    if picture.mode.startswith("I"):
        return Image.fromarray((numpy.asarray(picture).astype(float) / 257).round().astype("uint8")).convert("RGB")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture.convert("RGBA"))
        return white.convert("RGB")
    return picture.convert("RGB")


def truth(d, path):
    """truth: what became of each kind of dirt"""
    latest, table = {row["uri"]: row for row in d.manifest}, Counter()
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as text:
        for line in csv.DictReader(text):
            row = latest.get(key(line["path"])) or latest.get(key(line["path"], True))
            if not row:
                yield f"{line['path']} ({line['dirt']}): not in the manifest"
                continue
            table[line["dirt"], row["action"], row["reason"] or ""] += 1
            for column in "action", "reason":
                wanted = line.get(f"expected_{column}")
                if wanted is not None and (row[column] or "") not in wanted.split("|"):
                    yield f"{line['path']} ({line['dirt']}): {column} {row[column]} instead of {wanted}; {row['detail']}"
    for (dirt, action, reason), n in sorted(table.items()):
        print(f"     {dirt:24} {action:14} {reason:16} {n:6}")


def card(d):
    """README.md: front matter lists the version's files, its Python runs"""
    text = (d.root / "README.md").read_bytes().decode("utf-8")
    head = yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.S)[1])
    parts = [part for config in head.get("configs", []) for part in config["data_files"]]
    yield from differ("data_files", (path for part in parts for path in part["path"]), d.files)
    with tempfile.TemporaryDirectory() as cache:
        datasets.config.HF_DATASETS_CACHE = cache
        code = "".join(re.findall(r"```python\n(.*?)```", text, re.S))
        exec(code.replace("path/to/this/folder", str(d.root)), {})


def croissant(d):
    """croissant.json: mlcroissant validates it and loads the images"""
    logging.getLogger("absl").setLevel(logging.ERROR)
    described = mlcroissant.Dataset(jsonld=str(d.root / "croissant.json"))
    warnings = [str(w) for w in described.metadata.ctx.issues.warnings]
    yield from (w for w in warnings if not re.search("citeAs|datePublished|license", w))  # nobody told swinpipe
    objects = {f.content_url: (f.sha256, f.content_size) for f in described.metadata.file_objects}
    on_disk = {file: (sha256(data), f"{len(data)} B") for file in d.files for data in [(d.root / file).read_bytes()]}
    yield from differ("FileObject", objects.items(), on_disk.items())
    sets = {s.uuid for s in described.metadata.record_sets}
    if d.classes:
        yield from differ("classes", [r["classes/name"] for r in described.records("classes")], d.classes)
    yield from differ("record sets", sets, ["splits", "samples"] + ["classes"] * bool(d.classes))
    seen = Counter()
    for record in described.records("samples"):
        values = [record[f"samples/{k}"] for k in KEY]
        seen[tuple(v.decode() if isinstance(v, bytes) else v for v in values)] += 1
        record["samples/image"].load()
    yield from differ("mlcroissant", seen, d.keys)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("dataset")
    arguments.add_argument("--source", help="the folder that was the source")
    arguments.add_argument("--truth", help="CSV: path,class,dirt,real_format[,expected_action,expected_reason]")
    arguments.add_argument("--expect", default="{}", help="figures that must be met: JSON or a file of it")
    options = arguments.parse_args()
    expect = options.expect if options.expect.lstrip().startswith("{") else Path(options.expect).read_text()
    datasets.logging.set_verbosity_error()
    d = Dataset(options.dataset, options.source, json.loads(expect))
    checks = [schema, encoding, identity, delta, readers, hugging_face, manifest, files, card, croissant]
    checks += [source, pixels] * bool(options.source) + [truth] * bool(options.truth)
    failed = 0
    for check in checks:
        problems = []
        try:
            problems.extend(check(d, options.truth) if check is truth else check(d))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a panic in Polars is no Exception
            while error.__cause__:
                error = error.__cause__
            at = traceback.extract_tb(error.__traceback__)[-1]
            problems.append(f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})")
        more = [f"… and {len(problems) - 20} more"] * (len(problems) > 20)
        print("\n       ".join([f"{'FAIL' if problems else 'ok  '} {check.__doc__}", *problems[:20], *more]))
        failed += bool(problems)
    print(f"{len(checks) - failed} of {len(checks)} checks passed: version {d.delta.version()}, {len(d.rows)} rows in {len(d.files)} files")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
