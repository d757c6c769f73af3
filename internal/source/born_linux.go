package source

import (
	"time"

	"golang.org/x/sys/unix"
)

const openFlags = unix.O_NONBLOCK | unix.O_NOCTTY

// born returns when the file at path was made, where the file system knows.
func born(path string) (time.Time, bool) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}, false
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)), true
}
