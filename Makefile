# One line each over dev.py, which serves where make is missing.
PYTHON ?= python3
ARGS ?=

.PHONY: run test test-long lint setup assets lock

run:        ; @$(PYTHON) dev.py run
test:       ; @$(PYTHON) dev.py test $(ARGS)
test-long:  ; @$(PYTHON) dev.py test -m long $(ARGS)
lint:       ; @$(PYTHON) dev.py lint
setup:      ; @$(PYTHON) dev.py setup
assets:     ; @$(PYTHON) dev.py assets
lock:       ; @$(PYTHON) dev.py lock
