"""`narrate bench`: what this machine does with each part of the work, measured and written down.

    python -m narrate.bench generate --random-weights tiny --quick

The same commands stand in the command line as `narrate bench`; this form needs neither typer nor
rich nor Prefect, so it runs on a machine that has little more than torch.
"""
