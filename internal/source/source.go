// Package source is where chunks come from: log files and standard input.
//
// A source finds lines, keeps them whole, in order and each once, and says how
// far it came by cursors that it is given back at the next start. It does not
// look into the text, judges nothing, writes nothing to any file, and remembers
// nothing between two runs but what a cursor holds.
package source

import (
	"context"
	"iter"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source/whole"
)

// A Source yields what is written to one place.
type Source interface {
	// Chunks yields whole lines until ctx is done. The cursors are the saved
	// cursors of this source's streams: whoever asks for the next chunk has
	// recorded the last one's To, so a crash at any point reads on from there. Who
	// saves cursors late saves them in the order of their chunks, across streams. A
	// chunk without text only moves a cursor, or ends a stream.
	//
	// An error is about one stream and names what to do. It does not end the
	// sequence, unless nothing can ever follow; then it is permanent.
	Chunks(ctx context.Context, cursors map[string]string) iter.Seq2[edgeban.Chunk, error]
}

// MaxLine is how many bytes a line may have before its \n. A longer one is skipped, and
// counted.
const MaxLine = whole.MaxLine
