import sys
from pathlib import Path

# Tests are imported by file, not as packages; this lets them share the modules beside them.
sys.path.insert(0, str(Path(__file__).parent))
