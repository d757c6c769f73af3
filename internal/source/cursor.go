package source

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// cursorVersion is the first field of every cursor. Another one is not read.
const cursorVersion = "1"

// A cursor is a place between two lines of a file, and how the file is known
// again: by what it holds before that place. The inode only chooses between
// files that hold the same.
type cursor struct {
	gen    string // 16 hex digits, drawn when the stream was first seen
	offset int64  // bytes before the place
	id     fileID
	at     time.Time // when the file was last known to be at its origin, to the millisecond
	print  fingerprint
}

// String returns c as seven fields with colons between them:
// version, generation, offset, device, inode, milliseconds, fingerprint.
func (c cursor) String() string {
	return fmt.Sprintf("%s:%s:%d:%x:%d:%d:%x",
		cursorVersion, c.gen, c.offset, c.id.dev, c.id.ino, c.at.UnixMilli(), c.print[:])
}

// parseCursor reads what String wrote, and nothing else.
func parseCursor(s string) (cursor, error) {
	field := strings.Split(s, ":")
	if field[0] != cursorVersion {
		return cursor{}, fmt.Errorf("the cursor %.60q was not written by this version", s)
	}
	bad := fmt.Errorf("the cursor %.200q is damaged", s)
	if len(field) != 7 {
		return cursor{}, bad
	}
	c := cursor{gen: field[1]}
	var err [4]error
	c.offset, err[0] = strconv.ParseInt(field[2], 10, 64)
	c.id.dev, err[1] = strconv.ParseUint(field[3], 16, 64)
	c.id.ino, err[2] = strconv.ParseUint(field[4], 10, 64)
	milli, e := strconv.ParseInt(field[5], 10, 64)
	c.at, err[3] = time.UnixMilli(milli), e
	for _, e := range err {
		if e != nil {
			return cursor{}, bad
		}
	}
	print, e := hex.DecodeString(field[6])
	if e != nil || len(print) != len(c.print) || !isGeneration(c.gen) || c.offset < 0 {
		return cursor{}, bad
	}
	copy(c.print[:], print)
	if c.String() != s {
		return cursor{}, bad
	}
	return c, nil
}

// newGeneration draws the name that no stream had before.
func newGeneration() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

func isGeneration(s string) bool {
	return len(s) == 16 && strings.Trim(s, "0123456789abcdef") == ""
}

// streamName is the path at which a file was first seen and its generation.
func streamName(origin, gen string) string { return origin + "@" + gen }

// splitStream takes a stream's name apart.
func splitStream(stream string) (origin, gen string, ok bool) {
	i := strings.LastIndexByte(stream, '@')
	if i < 0 || !isGeneration(stream[i+1:]) {
		return "", "", false
	}
	return stream[:i], stream[i+1:], true
}
