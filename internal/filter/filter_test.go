package filter

import "testing"

func TestSamplesOfEveryBuiltin(t *testing.T) {
	for _, name := range Builtin() {
		f, err := Load(name)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		results := f.Test()
		if len(results) == 0 {
			t.Errorf("%s has no samples", name)
		}
		for _, r := range results {
			if r.Err != nil {
				t.Errorf("%s: %v\n%s", r.Where, r.Err, r.Line)
			}
		}
	}
}
