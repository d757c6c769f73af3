package sorted

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

type row struct{ key, value int }

func byKey(a, b *row) int { return cmp.Compare(a.key, b.key) }

func at(key int) order[row] { return func(r *row) int { return cmp.Compare(r.key, key) } }

func rowsOf(v *View[row]) (out []row) {
	for r := range v.All() {
		out = append(out, *r)
	}
	return out
}

// The fear: a record is lost or doubled at the edge of a page, or what was frozen
// changes.
func TestTableIsAMapInOrder(t *testing.T) {
	type frozen struct {
		view *View[row]
		want []row
	}
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		table, model, kept := NewTable(byKey), map[int]int{}, []frozen{}
		rows := func(from int) (out []row) {
			for _, k := range slices.Sorted(maps.Keys(model)) {
				if k >= from {
					out = append(out, row{k, model[k]})
				}
			}
			return out
		}
		for step := range 6000 {
			k := rng.IntN(3000)
			switch n := rng.IntN(1000); {
			case n < 600 || step < 2000:
				table.Edit(row{key: k}).value = step
				model[k] = step
			case n < 950:
				table.Drop(at(k))
				delete(model, k)
			case n < 952:
				even := func(r *row) bool { return r.key%2 == 0 }
				table.DropFunc(even)
				maps.DeleteFunc(model, func(k, _ int) bool { return k%2 == 0 })
			case n < 955:
				table.Pack()
			case n < 960:
				kept = append(kept, frozen{table.Freeze(), rows(0)})
			}
			r := table.Find(at(k))
			if want, ok := model[k]; ok != (r != nil) || ok && r.value != want {
				t.Fatalf("seed %d, step %d: find %d: got %v, want %d, %v", seed, step, k, r, want, ok)
			}
		}
		if got, want := rowsOf(&table.View), rows(0); !slices.Equal(got, want) || table.Len() != len(want) {
			t.Fatalf("seed %d: got %d records (Len %d), want %d", seed, len(got), table.Len(), len(want))
		}
		for from := 0; from <= 3000; from += 37 {
			want := rows(from)
			for r := range table.From(at(from)) {
				if len(want) == 0 || *r != want[0] {
					t.Fatalf("seed %d: from %d: got %v, want %v", seed, from, *r, want)
				}
				break
			}
		}
		for i, f := range kept {
			if got := rowsOf(f.view); !slices.Equal(got, f.want) || f.view.Len() != len(f.want) {
				t.Errorf("seed %d: view %d has changed: got %d records, want %d", seed, i, len(got), len(f.want))
			}
		}
	}
}

// The fear: a table costs much more than its records, because they came in order,
// were packed, or went.
func TestPagesAreFull(t *testing.T) {
	const n = 100 * pageLen
	inOrder, packed, thinned := NewTable(byKey), NewTable(byKey), NewTable(byKey)
	for i := range n {
		inOrder.Edit(row{key: i})
		packed.Edit(row{key: i * 7919 % n})
		thinned.Edit(row{key: i})
	}
	packed.Pack()
	for i := range n {
		if i%10 > 0 {
			thinned.Drop(at(i))
		}
	}
	for name, got := range map[string]int{"in order": len(inOrder.pages), "packed": len(packed.pages)} {
		if got != 100 {
			t.Errorf("%s: got %d pages, want 100", name, got)
		}
	}
	if got := len(thinned.pages); got > 50 {
		t.Errorf("thinned to a tenth: got %d pages, want 50 at most", got)
	}
}
