# Thin: one command each. `make help` lists them.
PYTHON ?= python3
# Workers side by side: auto is one more than cores, as far as the memory goes; 0 runs in one process.
WORKERS ?= auto
SIDE_BY_SIDE := -n $(WORKERS) --no-loadscope-reorder
DEVICE_VENV := .venv
DEV_VENV := .venv-dev
DEV := $(DEV_VENV)/bin
FETCHES := echo "fetching wheels: pip is silent for some minutes" >&2

.PHONY: help run dev test test-device test-slow clients-test browser-test coverage check format train export report bench board-cost docs bundle deb release install image image-test flash lock
# The newest by version; "~" comes before the end of a name, as a candidate comes before its release.
IMAGE ?= $(shell ls dist/mien-*-arm64.img 2>/dev/null | sed 's/rc/~rc/' | sort -V | tail -n 1 | tr -d '~')
.DEFAULT_GOAL := help

# A wrong name is refused here, before anything is installed for the training.
ifneq ($(and $(NETWORK),$(filter train export,$(MAKECMDGOALS))),)
NETWORKS := $(shell $(PYTHON) -c 'import glob, json, pathlib; print(*sorted({name \
    for path in glob.glob("training/classifier/recipes/*.json") \
    for name in (pathlib.Path(path).stem, *json.load(open(path))["pairs"])}))')
ifneq ($(filter-out $(NETWORKS),$(NETWORK)),)
$(error NETWORK=$(NETWORK): no recipe trains it; known are $(NETWORKS))
endif
endif

help: ## list what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: $(DEVICE_VENV)/.ready ## start Mien on the demo source with its own broker
	@$(DEVICE_VENV)/bin/python -m device run

test: $(DEV_VENV)/.ready ## all tests but the slow ones
	@tests/install-mosquitto.sh
	$(DEV)/python -m pytest -q $(SIDE_BY_SIDE)

test-device: ## the device's tests alone, without TensorFlow; PYTHON=python3.12 for another Python
	@tests/install-mosquitto.sh
	@.ci/test-device $(PYTHON)

coverage: $(DEV_VENV)/.ready ## as test, and which lines and branches the tests reached
	@tests/install-mosquitto.sh
	$(DEV)/python -m pytest -q $(SIDE_BY_SIDE) --cov --cov-report=term

test-slow: $(DEV_VENV)/.ready ## the slow ones: hundreds of kills, floods, whole trainings
	@tests/install-mosquitto.sh
	$(DEV)/python -m pytest -m slow

clients-test: $(DEV_VENV)/.ready ## a real Home Assistant and Node-RED hear Mien; the first run installs them into ~/.cache
	@tests/install-mosquitto.sh
	$(DEV)/python -m pytest -m slow tests/clients

browser-test: $(DEV_VENV)/.ready ## the page in a real browser; installs playwright, and chromium where it may
	$(DEV_VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	@command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || apt-get install -y -qq --no-install-recommends chromium >/dev/null
	$(DEV)/python -m pytest -m slow tests/device/web tests/pages

dev: $(DEV_VENV)/.ready ## install what training, export and tests need, and end

check: $(DEV_VENV)/.ready ## format, lint, types
	$(DEV)/ruff format --check .
	$(DEV)/ruff check .
	$(DEV)/mypy

format: $(DEV_VENV)/.ready ## format and fix what can be fixed
	$(DEV)/ruff format .
	$(DEV)/ruff check --fix .

train: $(DEV_VENV)/.ready ## train the shipped classifiers, teachers first, on data/fer2013.csv; NETWORK=NAME: one alone
	$(DEV)/python -m training chain $(NETWORK)

export: $(DEV_VENV)/.ready ## what `make train` has trained to device/models; NETWORK=NAME: one alone
	$(DEV)/python -m training ship $(NETWORK)

report: $(DEV_VENV)/.ready ## docs/results.md with its plots; ARGS="--faces DIR --peer FILE" for comparisons
	$(DEV)/python -m training report $(ARGS)

bench: $(DEVICE_VENV)/.ready ## pace of the whole path on this machine
	$(DEVICE_VENV)/bin/python -m device bench

board-cost: $(DEV_VENV)/.ready ## docs/board.md: instructions of a frame on arm64 cores, counted under an emulator
	$(DEV)/python -m tests.board

docs: $(DEV_VENV)/.ready ## dist/site: the documents as a site; pages that are made from the code are written first
	$(DEV)/python -m tests.pages
	$(DEV)/mkdocs build --quiet --strict

deb: ## dist/mien_VERSION_ARCH.deb for arm64 and amd64: apt install ./mien_VERSION_ARCH.deb
	@$(FETCHES)
	systemd/deb.sh

release: ## a release of this version into dist/release, with its tag; RELEASE=--dry-run only says what it would do, RELEASE=--help more
	@.ci/release $(RELEASE)

bundle: ## dist/mien-VERSION-bundle.tar: install.sh and all wheels, for devices without a network
	@$(FETCHES)
	systemd/bundle.sh

install: ## install on this machine as a service
	@$(FETCHES)
	bundle=$$(systemd/bundle.sh --here --dir) && sudo "$$bundle/install.sh" --local

image: ## flashable Debian arm64 image for Raspberry Pi 3 and 4 (needs root)
	systemd/image/build.sh

image-test: $(DEV_VENV)/.ready ## boot the image in an emulator, the service in a container (needs root, long)
	MIEN_IMAGE_TEST=1 $(DEV)/python -m pytest -m slow tests/systemd tests/image

flash: ## write IMAGE to DEVICE=/dev/sdX: refuses all but removable disks, asks, verifies
	@systemd/flash.sh "$(IMAGE)" "$(DEVICE)"

lock: ## pin what runs on the board, with hashes
	systemd/lock.sh

$(DEVICE_VENV)/.ready: pyproject.toml constraints.txt
	@echo "installing what the device needs into $(DEVICE_VENV) (about 360 MB): pip is silent for some minutes"
	$(PYTHON) -m venv $(DEVICE_VENV)
	$(DEVICE_VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@$(DEVICE_VENV)/bin/mien fetch || echo "without BlazeFace: faces are found by a Haar cascade"
	@touch $@

$(DEV_VENV)/.ready: pyproject.toml constraints.txt
	@echo "installing TensorFlow and the tools into $(DEV_VENV) (about 2.8 GB): pip is silent for many minutes"
	$(PYTHON) -m venv $(DEV_VENV)
	$(DEV_VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[training,export,dev]'
	@touch $@
