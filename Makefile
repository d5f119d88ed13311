# What can be done here; `make` alone lists it. `make run` and `make test` each work as the first command.

SERVICE := .venv/bin/python
BOT := .venv-bot/bin/python
DIANFU := .venv/bin/dianfu
MODEL := models/dianfu.tar.gz
BOT_DATA := data/nlu data/rules data/stories
# A model is older than what it was made from: then `make test` trains first.
MODEL_SOURCES := $(shell find bot $(BOT_DATA) -type f ! -name '*.pyc' ! -name channel.py ! -name wishes.py ! -name forms.py ! -name knowing.py ! -name certain.py ! -name handback.py ! -name forgetting.py ! -name model_watch.py \
	! -name endpoints.yml ! -name credentials.yml ! -path 'bot/evaluation/*' 2>/dev/null) requirements/bot.txt
CHROMIUM := $(firstword $(shell command -v chromium chromium-browser google-chrome 2>/dev/null))
# In CI a missing browser is an error, elsewhere its tests are left out.
NO_BROWSER := $(if $(CHROMIUM)$(filter true,$(CI)),, and not browser)
QUIET_RASA := TF_CPP_MIN_LOG_LEVEL=2 SQLALCHEMY_SILENCE_UBER_WARNING=1 CUDA_VISIBLE_DEVICES=-1 RASA_TELEMETRY_ENABLED=false

.DEFAULT_GOAL := help
.PHONY: help setup run test lint format train eval eval-massive bench shell lock clean

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

setup: ## Make both environments, .venv and .venv-bot; a second call takes no time
	@sh ops/setup.sh

run: setup ## Start everything for a try-out: keys, data and model are made if missing
	@exec env DIANFU_ENV=development $(DIANFU) serve --with-fake-wechat

test: setup $(MODEL) ## Run all tests; trains first if the model is missing or old; TRAINING=1: also a candidate's whole life
	@$(if $(NO_BROWSER),echo "test    | no Chromium here: the tests marked 'browser' are left out")
	$(SERVICE) -m pytest tests --ignore=tests/bot --ignore=tests/e2e --numprocesses=3 --dist=loadfile -m "not e2e$(NO_BROWSER)"
	$(SERVICE) -m pytest tests/e2e --numprocesses=2 -m "not alone$(NO_BROWSER)"
	$(SERVICE) -m pytest tests/e2e -m "alone$(NO_BROWSER)"
	$(QUIET_RASA) $(BOT) -m pytest tests/bot

$(MODEL): $(MODEL_SOURCES) | setup
	$(DIANFU) train

lint: setup ## Check style, types, who imports whom, and the training data
	$(SERVICE) -m ruff check .
	$(SERVICE) -m ruff format --check .
	$(SERVICE) -m mypy --strict core actions api ops
	.venv/bin/lint-imports
	@said=$$($(QUIET_RASA) $(BOT) -m rasa data validate --fail-on-warnings \
		--config bot/config.yml --domain bot/domain --data $(BOT_DATA) 2>&1); code=$$?; \
		printf '%s\n' "$$said" | grep -v "intent '[a-z_]*+[a-z_]*' is not used"; exit $$code  # the channel parts them

format: setup ## Put the code into its standard form
	$(SERVICE) -m ruff check --fix-only .
	$(SERVICE) -m ruff format .

train: setup ## Train the model; when that fails the last good one stays
	$(DIANFU) train

eval: setup $(MODEL) ## Measure how well unseen messages are understood; STOCK=1 also trains Rasa's stock pipeline
	$(QUIET_RASA) $(BOT) -m bot.evaluation $(if $(filter-out 0 no false,$(STOCK)),--stock) $(if $(STOCK_EPOCHS),--epochs $(STOCK_EPOCHS))

eval-massive: setup ## Train and score the intent part on MASSIVE zh-CN: FILES="train.tsv test.tsv", or its JSONL
	$(QUIET_RASA) $(BOT) -m bot.evaluation massive $(FILES)

bench: setup $(MODEL) ## Measure the bridge beside Rasa alone; writes docs/benchmarks.md
	$(DIANFU) bench
	$(DIANFU) bench broadcast

shell: setup $(MODEL) ## Talk to the model in the terminal (`make run` elsewhere gives it its actions)
	@eval "$$($(DIANFU) env)" && exec $(BOT) -m rasa shell --model models --endpoints bot/endpoints.yml

lock: setup ## Choose the newest allowed versions anew and write requirements/
	@sh ops/lock.sh

clean: ## Remove caches and results; environments, keys, data and models stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .rasa results dist
	find core actions api ops bot tests -name __pycache__ -type d -prune -exec rm -rf {} +
