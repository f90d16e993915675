package tempfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// ofContent are attributes that the kernel keeps of a file's content. They would be
// wrong for another file.
var ofContent = map[string]bool{"security.ima": true, "security.evm": true}

// copyAttributes gives f the extended attributes of the file at path, access lists
// among them, and takes away those that the other does not have, such as an access
// list that f has inherited from its folder.
func copyAttributes(f *os.File, path string) error {
	want, err := attributes(path)
	if err != nil {
		return err
	}
	have, err := attributes(f.Name())
	if err != nil {
		return err
	}
	for name, value := range want {
		if is, ok := have[name]; ok && bytes.Equal(is, value) {
			continue
		}
		if err := syscall.Setxattr(f.Name(), name, value, 0); err != nil {
			return fmt.Errorf("attribute %s cannot be kept: %w", name, err)
		}
	}
	for name := range have {
		// What the system labels of its own accord cannot be taken away.
		if _, ok := want[name]; ok || strings.HasPrefix(name, "security.") {
			continue
		}
		if err := syscall.Removexattr(f.Name(), name); err != nil {
			return fmt.Errorf("attribute %s cannot be removed: %w", name, err)
		}
	}
	return nil
}

// attributes returns the extended attributes of the file at path that can be listed.
func attributes(path string) (map[string][]byte, error) {
	names, err := sized(func(b []byte) (int, error) { return syscall.Listxattr(path, b) })
	if errors.Is(err, syscall.ENOTSUP) {
		return nil, nil // a file system without any
	}
	if err != nil {
		return nil, fmt.Errorf("attributes of %s: %w", path, err)
	}
	all := map[string][]byte{}
	for _, name := range strings.Split(string(names), "\x00") {
		if name == "" || ofContent[name] {
			continue
		}
		value, err := sized(func(b []byte) (int, error) { return syscall.Getxattr(path, name, b) })
		if errors.Is(err, syscall.ENODATA) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("attribute %s of %s: %w", name, path, err)
		}
		all[name] = value
	}
	return all, nil
}

// sized calls read with a buffer that is large enough.
func sized(read func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := read(nil)
		if n == 0 || err != nil {
			return nil, err
		}
		b := make([]byte, n)
		n, err = read(b)
		if errors.Is(err, syscall.ERANGE) {
			continue // it has grown in the meantime
		}
		if err != nil {
			return nil, err
		}
		return b[:n], nil
	}
}
