package edgeban

import "time"

// A Chunk is some whole lines of one stream: one file, one container, one
// syslog sender. Most lines of a real log fail nothing, so lines travel
// together and only those that matter are ever cut out.
type Chunk struct {
	Source string // the source's name in the configuration
	Stream string // owns a cursor; never used again for other lines
	Origin string // who wrote it as the transport knows it (for a file its path); never taken from the text

	Text  []byte      // each line ended by \n; valid until the next chunk
	Base  int64       // position of Text[0] in the stream: with Stream it names a line for ever
	Times []time.Time // one per line where the transport knows it, else nil

	Stamped bool // beside Times, lines may hold stamps that their program wrote

	From, To string    // cursors before and after; both empty where the source cannot resume
	Read     time.Time // when it was read
	Live     bool      // false while catching up with what was written before
	Seen     bool      // read and recorded before a restart: it brings back what the next lines refer to, and counts no more
	End      bool      // nothing will follow: once recorded, the stream's cursor may be forgotten
}
