package feed

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// A page is one list, ready to be sent. It is immutable.
type page struct {
	prefixes []netip.Prefix // canonical
	updated  time.Time      // to the second
	text     body
	json     func() body // made when first asked for
}

// A body is one spelling of the list.
type body struct {
	kind   string        // its media type
	plain  []byte        //
	zipped func() []byte // made when first asked for
	tag    string        // of its content
}

func newPage(prefixes []netip.Prefix, updated time.Time) *page {
	p := &page{prefixes: prefixes, updated: updated.Truncate(time.Second).UTC()}
	p.text = newBody("text/plain; charset=utf-8", textOf(prefixes))
	p.json = sync.OnceValue(func() body { return newBody("application/json", jsonOf(prefixes, p.updated)) })
	return p
}

func newBody(kind string, plain []byte) body {
	sum := sha256.Sum256(plain)
	return body{
		kind:   kind,
		plain:  plain,
		zipped: sync.OnceValue(func() []byte { return zip(plain) }),
		tag:    hex.EncodeToString(sum[:16]),
	}
}

func zip(plain []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(plain) // a bytes.Buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// textOf writes one address or network a line.
func textOf(prefixes []netip.Prefix) []byte {
	b := make([]byte, 0, 20*len(prefixes))
	for _, p := range prefixes {
		b = append(appendPrefix(b, p), '\n')
	}
	return b
}

// jsonOf writes what OPNsense's urljson alias reads with the path .bans[].ip
func jsonOf(prefixes []netip.Prefix, updated time.Time) []byte {
	b := make([]byte, 0, 64+30*len(prefixes))
	b = append(b, `{"updated":"`...)
	b = updated.AppendFormat(b, time.RFC3339)
	b = append(b, `","count":`...)
	b = strconv.AppendInt(b, int64(len(prefixes)), 10)
	b = append(b, `,"bans":[`...)
	for i, p := range prefixes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendPrefix(append(b, `{"ip":"`...), p), `"}`...)
	}
	return append(b, "]}\n"...)
}

// appendPrefix writes a single host without a mask, as every firewall reads it.
func appendPrefix(b []byte, p netip.Prefix) []byte {
	if p.IsSingleIP() {
		return p.Addr().AppendTo(b)
	}
	return p.AppendTo(b)
}
