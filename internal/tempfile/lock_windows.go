package tempfile

import "os"

// A file that somebody has open cannot be removed, so that it needs no lock, and
// has to be closed first.
const openStays = true

func lockFile(*os.File) error { return nil }
