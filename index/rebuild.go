package index

// rebuildName is the name of the top-level bucket in which the indexes are built
// anew beside the old ones.
var rebuildName = []byte("jobstore.rebuild")

// IsTemporary reports whether a top-level bucket of this name can be left out of
// a copy, as it will be made again.
func IsTemporary(name []byte) bool { return string(name) == string(rebuildName) }
