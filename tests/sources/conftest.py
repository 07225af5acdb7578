import sys
from pathlib import Path

# Tests are imported by file, not as packages; this lets them share sample_runs.py and sample_files.py.
sys.path.insert(0, str(Path(__file__).parent))
