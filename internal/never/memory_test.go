package never

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

func TestOwnerIsProtectedAfterARestartWithoutAResolver(t *testing.T) {
	owner := netip.MustParseAddr("203.0.113.5")
	path := filepath.Join(t.TempDir(), "names.json")
	finder := func(answer []netip.Addr, err error) *Finder {
		return &Finder{
			Never: []string{"home.example.org"}, Root: t.TempDir(), Memory: path,
			Interfaces: func() (map[string][]netip.Addr, error) { return nil, nil },
			Resolver:   func(context.Context, string) ([]netip.Addr, error) { return answer, err },
		}
	}
	finder([]netip.Addr{owner}, nil).Find(t.Context())
	for range 2 { // and once more: what was not confirmed is not forgotten
		l := finder(nil, errors.New("the resolver is away")).Find(t.Context())
		if _, ok := l.Contains(owner); !ok {
			t.Error("after a restart the owner's address is not protected")
		}
	}
	if err := os.WriteFile(path, []byte("{garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := finder(nil, errors.New("away")).Find(t.Context()).Contains(owner); ok {
		t.Error("an address came out of garbage")
	}
	if _, ok := finder([]netip.Addr{owner}, nil).Find(t.Context()).Contains(owner); !ok {
		t.Error("a damaged memory kept an answer from being used")
	}
}
