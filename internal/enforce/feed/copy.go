package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxCopy   = 256 << 20 // bytes
	copyTitle = "# edgeban feed, the last copy; sha256 "
)

// writeCopy writes p beside path and moves it there, so that path always holds a
// whole list. The first line vouches for the rest.
func writeCopy(path string, p *page) error {
	sum := sha256.Sum256(p.text.plain)
	aside := path + ".new"
	w, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = w.WriteString(copyTitle + hex.EncodeToString(sum[:]) + "\n")
	if err == nil {
		_, err = w.Write(p.text.plain)
	}
	if err == nil {
		err = w.Sync()
	}
	if err2 := w.Close(); err == nil {
		err = err2
	}
	_ = os.Chtimes(aside, p.updated, p.updated) // when the list changed; not worth losing a copy for
	if err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		_ = os.Remove(aside) // its room may be needed
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// readCopy reads what writeCopy wrote. It returns an error that says where and
// why for anything else.
func readCopy(path string) (*page, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxCopy))
	if err != nil {
		return nil, err
	}
	title, text, _ := bytes.Cut(data, []byte("\n"))
	sum := sha256.Sum256(text)
	if string(title) != copyTitle+hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%s is damaged", path)
	}
	var prefixes []netip.Prefix
	for line := range strings.Lines(string(text)) {
		p, err := parsePrefix(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("%s is damaged: %w", path, err)
		}
		prefixes = append(prefixes, p)
	}
	return newPage(prefixes, info.ModTime()), nil
}

// parsePrefix reads what appendPrefix wrote.
func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Prefix(a.BitLen())
}
