"""The core of Ayar: documents to examples to tuned models to honest comparisons.

Importing it switches off the telemetry of every library that Ayar uses, before any of them is imported.
"""

import os

for _variable, _value in {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAGAS_DO_NOT_TRACK": "true",
    "DO_NOT_TRACK": "1",
    "ANONYMIZED_TELEMETRY": "false",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "WANDB_MODE": "disabled",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(_variable, _value)
