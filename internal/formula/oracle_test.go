package formula

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
)

// oracle evaluates each expression of its input, a JSON list of lists of text,
// Time, Count and Factor, and prints for each its value or null.
const oracle = `
import json, math, sys, warnings
warnings.simplefilter("ignore")
class Ban: pass
answers = []
for text, Time, Count, banFactor in json.load(sys.stdin):
    ban = Ban()
    ban.Time, ban.Count = Time, Count
    try:
        x = float(eval(text, {"math": math}, {"ban": ban, "banFactor": banFactor}))
        answers.append(x if math.isfinite(x) else None)
    except Exception:
        answers.append(None)
json.dump(answers, sys.stdout)
`

// expression returns a random formula of some depth. Steps and curves do not mix:
// where two libraries differ in a curve's last bit, a step makes much of it.
func expression(r *rand.Rand, depth int, steps bool) string {
	sub := func() string { return expression(r, depth-1, steps) }
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	either := func(step, curve string) string {
		if steps {
			return step
		}
		return curve
	}
	if depth == 0 {
		return pick("ban.Time", "ban.Count", "banFactor", "0", "1", "2", "3", "7", "20", "0.5", "1.5", ".25", "2e1", "True", either("False", "math.e"))
	}
	switch r.IntN(12) {
	case 0:
		return "(" + sub() + ")"
	case 1:
		return pick("-", "+", "not ", "- -") + sub()
	case 2:
		return sub() + " if " + sub() + " else " + sub()
	case 3:
		return sub() + either(pick("<", "<=", ">", ">=", "==", "!="), "*") + sub()
	case 4:
		return sub() + pick(" and ", " or ") + sub()
	case 5:
		return pick("float", "abs", either("int", "math.exp"), either("round", "math.log"), either("math.floor", "math.sqrt"), either("math.ceil", "math.log10")) + "(" + sub() + ")"
	case 6:
		return pick("max", "min", either("min", "math.pow")) + "(" + sub() + ", " + sub() + ")"
	case 7: // by little: Python has the patience for numbers of any size
		return sub() + either("<<", "**") + pick("2", "3", "(ban.Count%7)")
	case 8:
		return either("abs(", "pow(") + sub() + either(")", ", "+pick("2", "3", "-2")+")")
	}
	return sub() + pick("+", "-", "*", "/", either("//", "+"), either("%", "*")) + sub()
}

func TestPythonComesToTheSame(t *testing.T) {
	if _, err := os.Stat("/usr/lib/python3/dist-packages/fail2ban"); err != nil && os.Getenv("EDGEBAN_ORACLE") != "1" {
		t.Skip("no fail2ban is installed to compare with")
	}
	r := rand.New(rand.NewPCG(4, 3))
	type question struct {
		text string
		vars Vars
	}
	var questions []question
	var asked [][]any
	for i := range 20_000 {
		q := question{expression(r, 1+r.IntN(4), i%2 == 0), Vars{float64(r.IntN(5000)), r.IntN(40), []float64{1, 2, 0.5, 1.25}[r.IntN(4)]}}
		questions = append(questions, q)
		var factor any = q.vars.Factor
		if q.vars.Factor == math.Trunc(q.vars.Factor) {
			factor = int(q.vars.Factor)
		}
		asked = append(asked, []any{q.text, int(q.vars.Time), q.vars.Count, factor})
	}
	input, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -v 4000000; exec timeout 20 python3 -c "$0"`, oracle)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	var want []*float64
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	values, large := 0, 0
	for i, q := range questions {
		var got float64
		e, why := Parse(q.text)
		if why == nil {
			got, why = e.Eval(q.vars)
		}
		say := func(got any) {
			w := "an error"
			if want[i] != nil {
				w = fmt.Sprint(*want[i])
			}
			t.Errorf("%s of %+v: got %v, want %s", q.text, q.vars, got, w)
		}
		switch {
		case want[i] == nil && why == nil:
			say(got)
		case want[i] == nil:
		case errors.Is(why, ErrOverflow): // Python goes on with infinity, or with more bits
			large++
		case why != nil:
			say(why)
		case math.Abs(got-*want[i]) > 1e-9*math.Abs(*want[i]):
			say(got)
		default:
			values++
		}
	}
	t.Logf("%d values are the same; %d are too large for us only", values, large)
	if values < len(questions)/2 || large > len(questions)/100 {
		t.Errorf("%d of %d had a value, %d were too large: the comparison proves little", values, len(questions), large)
	}
}
