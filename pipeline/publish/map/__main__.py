"""`python -m pipeline.publish.map` writes `assets/fields.js`, the names that payload and script share."""

from pathlib import Path

from pipeline.publish.map.fields import script_fields

if __name__ == "__main__":
    Path(__file__).with_name("assets").joinpath("fields.js").write_text(script_fields(), "utf-8")
