// Package warm reads files that the kernel holds in memory, as it does what was just
// written, and what is read on a second time.
//
// Go takes a system call that lasts for more than 20 µs for one that waits: its processor
// goes to another thread, and from then on somebody wakes up every 20 µs to see whether
// there is more of that kind. To copy 256 KB takes 50 µs. Where as many logs were read as
// there are cores, this took a tenth of their time. So what is in memory is copied without
// the scheduler's knowing, which is for calls that do not wait: Linux is asked for what it
// can give at once (it may begin to read ahead for that), and for the rest as usual.
package warm

import (
	"os"
	"syscall"
)

// A File is a regular file that is read on from where it stands. It must not be read by two
// goroutines at once.
type File struct {
	file *os.File
	conn syscall.RawConn // nil if it is read as any other
}

// New returns a File, which closes f when it is closed.
func New(f *os.File) *File {
	conn, err := f.SyscallConn()
	if err != nil {
		conn = nil
	}
	return &File{f, conn}
}

// Read fills p, or reads to the end of the file: how much is read does not depend on what
// is in memory, so that the same is made of a file each time. Errors are those of os.File.
func (f *File) Read(p []byte) (int, error) {
	n := f.held(p)
	if n > 0 && n == len(p) {
		return n, nil
	}
	rest, err := f.file.Read(p[n:])
	if n += rest; n > 0 {
		err = nil // it comes again, if nothing can be read
	}
	return n, err
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }
