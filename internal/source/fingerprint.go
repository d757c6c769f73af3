package source

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// What stands before an offset is known again by its first headMax bytes and
// its last lastMax.
const (
	headMax = 1 << 10
	lastMax = 256
)

// errReplaced says that a file does not hold any more what was read from it.
var errReplaced = errors.New("the file holds other content now")

// A fingerprint is the hash of the head and the last bytes before an offset.
// How many there are follows from the offset, so they need no separator.
type fingerprint [16]byte

func fingerprintOf(head, last []byte) (p fingerprint) {
	h := sha256.New()
	h.Write(head)
	h.Write(last)
	copy(p[:], h.Sum(nil))
	return p
}

// around reads the head and the last bytes before offset. A file that is too
// short for them gives errReplaced.
func around(f io.ReaderAt, offset int64) (head, last []byte, err error) {
	head = make([]byte, min(offset, headMax))
	last = make([]byte, min(offset, lastMax))
	for _, part := range []struct {
		b  []byte
		at int64
	}{{head, 0}, {last, offset - int64(len(last))}} {
		n, err := f.ReadAt(part.b, part.at)
		if n < len(part.b) && (err == nil || errors.Is(err, io.EOF)) {
			return nil, nil, errReplaced
		}
		if n < len(part.b) {
			return nil, nil, err
		}
	}
	return head, last, nil
}

// beginsWith reports whether a file can begin with what another one holds: the
// heads agree, and the bytes before the other one's end.
func beginsWith(f, other *os.File) bool {
	fi, err := other.Stat()
	if err != nil || fi.Size() == 0 {
		return false
	}
	head, last, errF := around(f, fi.Size())
	otherHead, otherLast, errOther := around(other, fi.Size())
	return errF == nil && errOther == nil && bytes.Equal(head, otherHead) && bytes.Equal(last, otherLast)
}

// A fileID tells files apart that exist at the same time; it may be given to
// another file as soon as nobody holds the first.
type fileID struct{ dev, ino uint64 }

func idOf(fi fs.FileInfo) fileID {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{dev: uint64(st.Dev), ino: uint64(st.Ino)} //nolint:unconvert // the widths differ between systems
}

// leads reports whether the file is at path now.
func leads(path string, id fileID) bool {
	fi, err := os.Stat(path)
	return err == nil && idOf(fi) == id
}
