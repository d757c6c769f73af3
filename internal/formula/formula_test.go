package formula

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// usual is what fail2ban computes where nobody says otherwise.
const usual = "ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor"

func TestTheUsualFormulasGrowAsFail2banSays(t *testing.T) {
	for _, c := range []struct {
		text string
		vars Vars
		want float64
	}{
		{usual, Vars{600, 0, 1}, 600},
		{usual, Vars{600, 1, 1}, 1200},
		{usual, Vars{600, 2, 1}, 2400},
		{usual, Vars{600, 1, 2}, 2400},
		{usual, Vars{600, 20, 1}, 600 * (1 << 20)},
		{usual, Vars{600, 1000, 1}, 600 * (1 << 20)},
		{usual, Vars{600, 3, 0.5}, 2400},
		{"ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)", Vars{600, 0, 1}, 600},
		{"ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)", Vars{600, 3, 1}, 600 * math.E * math.E * math.E},
		{"ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)", Vars{600, 2, 0.5}, 600 * math.E},
	} {
		e, err := Parse(c.text)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		if got, err := e.Eval(c.vars); err != nil || math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("%s of %+v: got %v (%v), want %v", c.text, c.vars, got, err, c.want)
		}
	}
}

func TestOperatorsMeanWhatTheyMeanInPython(t *testing.T) {
	for text, want := range map[string]float64{
		"7/2": 3.5, "6/2*3": 9, "7//2": 3, "-7//2": -4, "7//-2": -4, "-7%3": 2, "7%-3": -2, "-7.5//2": -4, "-7.5%2": 0.5, "0.3//0.1": 2,
		"2**3**2": 512, "-2**2": -4, "2**-1": 0.5, "(-8)**2": 64, "2**-1**2": 0.5, "4**0.5": 2, "0**0": 1, "(-1)**99999999999": -1, "1**-5": 1, "0**99999999999999999999": 0,
		"1<<3+1": 16, "1<<2<<3": 32, "1+2*3": 7, "(1+2)*3": 9, "10-3-2": 5, "--3": 3, "-+-3": 3, "2*-3": -6,
		"1 if 2<3 else 4": 1, "1 if 0 else 2 if 0 else 3": 3, "(1 if 1 else 2)+5": 6, "1 if 1 else 1/0": 1,
		"1<2<3": 1, "1<3<2": 0, "3>2>=2==2!=1": 1, "2==2.0": 1, "(2**53+1)==2.0**53": 0, "1+(2<3)": 2,
		"not 1": 0, "not 0+0": 1, "not not 5": 1, "2 and 3": 3, "0 and 1/0": 0, "0 or 4": 4, "5 or 1/0": 5, "1 or 0 and 0": 1, "True+True": 2, "False": 0,
		"int(-2.7)": -2, "int(2.7)": 2, "float(3)/2": 1.5, "round(2.5)": 2, "round(3.5)": 4, "abs(-3)": 3, "abs(-0.5)": 0.5, "max(1,2.5,2)": 2.5, "min(3,1,2)": 1, "pow(2,10)": 1024,
		"math.log(math.e)": 1, "math.log(8,2)": 3, "math.log2(8)": 3, "math.log10(1000)": 3, "math.sqrt(16)": 4, "math.pow(2,3)": 8, "math.floor(-1.5)": -2, "math.ceil(1.2)": 2, "math.exp(0)": 1, "2*math.pi": 2 * math.Pi,
		"1e3": 1000, "1.5e-1": 0.15, ".5": 0.5, "5.": 5, "00": 0, " \t3\n+ 4 ": 7, "2**3000//2**2999": 2, "10**400/10**399": 10,
		"1 if 3else 2": 1,
	} {
		e, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := e.Eval(Vars{}); err != nil || math.Abs(got-want) > 1e-12*math.Abs(want) {
			t.Errorf("%s: got %v (%v), want %v", text, got, err, want)
		}
	}
}

func TestWhatIsNoFormulaIsToldWithTheByte(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "byte 1: a value is missing; write a number, ( ), ban.Time",
		"1 +":                              "byte 4: a value is missing",
		"ban.Time * __import__('os')":      `byte 12: "__import__" is not known; write`,
		"random.random()":                  `byte 1: "random.random" is not known`,
		"ban.time":                         `byte 1: "ban.time" is not known`,
		"1 @ 2":                            `byte 3: "@" is not understood`,
		"1 + 'a'":                          `byte 5: "'" is not understood`,
		"é":                                `byte 1: "é" is not understood`,
		"1 + \x1b[2J":                      `byte 5: "\x1b" is not understood`,
		"1 2":                              `byte 3: "2" does not fit here; write an operator, one of +`,
		"(1":                               `byte 3: ")" is missing`,
		"1)":                               `byte 2: ")" does not fit here`,
		"* 2":                              `byte 1: "*" stands where a value belongs`,
		"1 if 2":                           `byte 7: "else" is missing`,
		"012":                              `byte 1: "012" begins with a zero`,
		"1e999":                            `byte 1: "1e999" is too large`,
		"max(1)":                           "byte 1: max cannot take 1 numbers",
		"math.exp(1, 2)":                   "byte 1: math.exp cannot take 2 numbers",
		"math.exp":                         `byte 9: "(" is missing`,
		"lambda: 1":                        `byte 1: "lambda" is not known`,
		"ban.Count[0]":                     `byte 10: "[" is not understood`,
		"1;2":                              `byte 2: ";" is not understood`,
		strings.Repeat("(", 100):           "byte 52: is nested more than 50 deep",
		strings.Repeat("-", 100) + "1":     "is nested more than 50 deep",
		strings.Repeat("not ", 99):         "is nested more than 50 deep",
		strings.Repeat("2**", 99):          "is nested more than 50 deep",
		strings.Repeat("1 if 1 else ", 99): "is nested more than 50 deep",
		strings.Repeat("1+", longest):      "bytes long; a formula has 2000 at most",
		strings.Repeat("abcdefghijklmnopqrstuvw", 20): "hijklmnopq…\" is not known",
	} {
		if e, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 500 {
			t.Errorf("%.40q: got %v, %v, want an error with %q", text, e, err, want)
		}
	}
}

func TestWhatHasNoValueIsAnError(t *testing.T) {
	for text, want := range map[string]string{
		"1/0": "byte 2: / divides by zero", "1//0": "divides by zero", "1%0": "divides by zero", "1.5/0": "divides by zero", "1.5//0.0": "divides by zero", "0**-1": "divides by zero", "math.log(2,1)": "divides by zero",
		"1<<2.5": "byte 2: << needs whole numbers", "1.5<<1": "needs whole numbers", "1<<-1": "less than nothing", "1<<float(2)": "needs whole numbers",
		"(-8)**0.5": "no real value", "math.sqrt(-1)": "byte 1: math.sqrt has no real value", "math.log(0)": "no value", "math.log(-1)": "no value",
	} {
		e, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := e.Eval(Vars{}); err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, ErrOverflow) {
			t.Errorf("%s: got %v, %v, want an error with %q", text, got, err, want)
		}
	}
}

// What grows with every ban must end somewhere, and not in the memory.
func TestWhatIsTooLargeIsTold(t *testing.T) {
	for _, text := range []string{
		"1<<ban.Count", "2**ban.Count", "ban.Time**ban.Count", "math.exp(ban.Count)", "1e300*1e300", "1<<(1<<62)", "2**2**62", "(1<<4000)*(1<<4000) > 0",
		"float(1<<1024)", "1<<1024", "(2**1024)*1.5", "10**4000", strings.Repeat("9", 1200) + "*9", "math.pow(10,400)",
	} {
		e, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := e.Eval(Vars{Time: 600, Count: 1 << 30, Factor: 1}); !errors.Is(err, ErrOverflow) {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, ErrOverflow)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{usual, "ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)", "2**-3 if not 1<2<=3 else max(1, 2.5e3)", "((((", "7//-2%3<<1", "a.b(", "1 if"} {
		f.Add(s, 600.0, 3, 1.5)
	}
	f.Fuzz(func(t *testing.T, text string, secs float64, count int, factor float64) {
		e, err := Parse(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 600 {
				t.Errorf("%q: an error in several lines: %q", text, err)
			}
			return
		}
		got, err := e.Eval(Vars{secs, count, factor})
		if err == nil && (math.IsNaN(got) || math.IsInf(got, 0)) {
			t.Errorf("%q: got %v without an error", text, got)
		}
	})
}
