# The two commands of a fresh machine: `make demo` and `make test`. Rust, Python 3 and git are all they need to find.

TARGET := $(or $(CARGO_TARGET_DIR),target)
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/swinpipe
# The judges' and the peers' environments are made anew when their pins change.
VENV := $(CACHE)/interop-$(shell cksum < tests/interop/requirements.txt | cut -d' ' -f1)
PEERS := $(CACHE)/peers-$(shell cksum < benches/peers/requirements.txt | cut -d' ' -f1)
# cmake from PyPI comes first, if it had to be fetched.
export PATH := $(CACHE)/tools/bin:$(PATH)

.PHONY: help demo test lint unit interop bench tools clean

help: ## what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1	/' | expand -t 10

demo: tools ## build, draw a dirty dataset, ingest it, look at the result
	cargo build --release --locked
	rm -rf data/demo-dataset
	$(TARGET)/release/swinpipe demo data/demo
	$(TARGET)/release/swinpipe run pipelines/ingest.toml
	$(TARGET)/release/swinpipe inspect data/demo-dataset

test: tools lint unit interop ## everything that CI runs

lint:
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	sh tests/no-torch.sh

unit:
	cargo test --locked

interop: $(VENV)/ready
	cargo build --locked
	sh tests/interop/run.sh $(TARGET)/debug/swinpipe $(VENV)/bin/python

bench: tools $(PEERS)/ready ## speed and memory beside floors and peers
	SWINPIPE_BENCH_PYTHON=$(or $(SWINPIPE_BENCH_PYTHON),$(PEERS)/bin/python) cargo bench --locked --bench ingest

# libjpeg-turbo and libaom are built from source.
tools:
	@sh tests/tools.sh $(CACHE)/tools

$(VENV)/ready: tests/interop/requirements.txt
$(PEERS)/ready: benches/peers/requirements.txt
$(VENV)/ready $(PEERS)/ready:
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

clean: ## remove what was built and drawn
	cargo clean
	rm -rf data/demo data/demo-dataset
