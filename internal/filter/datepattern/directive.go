package datepattern

// directives are what may follow a percent sign, as regular expressions. The
// order of alternatives decides where digits run together: %m%d reads 111 as the
// 11th of January. Those with Ex take no shorter forms.
var directives = map[string]string{
	"Y":   `(?P<Y>[0-9]{4})`,
	"ExY": `(?P<Y>2[0-9]{3})`, // how far ahead is decided when a year was read
	"y":   `(?P<y>[0-9]{2})`,
	"Exy": `(?P<y>[0-9]{2})`,
	"m":   `(?P<m>0?[1-9]|1[012])`,
	"Exm": `(?P<m>0[1-9]|1[012])`,
	"b":   `(?P<b>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)`,
	"B":   `(?P<B>january|february|march|april|may|june|july|august|september|october|november|december)`,
	"d":   `(?P<d>[12][0-9]|[ 0]?[1-9]|3[01])`,
	"Exd": `(?P<d>[12][0-9]|0[1-9]|3[01])`,
	"H":   `(?P<H>[01]?[0-9]|2[0-3])`,
	"ExH": `(?P<H>[01][0-9]|2[0-3])`,
	"k":   ` ?(?P<H>[012]?[0-9])`,
	"Exk": ` ?(?P<H>[01]?[0-9]|2[0-3])`,
	"I":   `(?P<I>1[012]|0?[1-9])`,
	"l":   ` ?(?P<I>1?[0-9])`,
	"Exl": ` ?(?P<I>1[012]|[0-9])`,
	"p":   `(?P<p>am|pm)`,
	"M":   `(?P<M>[0-5]?[0-9])`,
	"ExM": `(?P<M>[0-5][0-9])`,
	"S":   `(?P<S>[0-5]?[0-9]|6[01])`,
	"ExS": `(?P<S>[0-5][0-9]|6[01])`,
	"f":   `(?P<f>[0-9]{1,6})`,
	"z":   `(?P<z>Z|UTC|GMT|` + hours + `)`,
	"Exz": `(?P<z>(?:` + zoneWord + `)?` + hours + `|` + zoneWord + `)`,
	"Z":   `(?P<Z>Z|[A-Z]{3,5})`,
	"ExZ": `(?P<Z>` + zoneWord + `)`,
	"a":   `(?P<a>mon|tue|wed|thu|fri|sat|sun)`,
	"A":   `(?P<A>monday|tuesday|wednesday|thursday|friday|saturday|sunday)`,
	"w":   `(?P<w>[0-6])`,
	"u":   `(?P<u>[1-7])`,
	"j":   `(?P<j>[12][0-9]{2}|3(?:[0-5][0-9]|6[0-6])|0[1-9][0-9]|00[1-9]|[1-9][0-9]|0?[1-9])`,
	"U":   `(?P<U>5[0-3]|[0-4]?[0-9])`,
	"W":   `(?P<W>5[0-3]|[0-4]?[0-9])`,
	"V":   `(?P<V>5[0-3]|[1-4][0-9]|0[1-9]|[0-9])`,
	"G":   `(?P<G>[0-9]{4})`,
	"%":   `%`,
}

const (
	zoneWord = `[A-Z](?:[A-Z]{2,4})?`
	hours    = `[-+][01][0-9](?::?[0-9]{2})?`
)

// shorthands are directives that stand for others. They read what the C locale
// writes.
var shorthands = map[byte]string{
	'c': `%a\s+%b\s+%d\s+%H:%M:%S\s+%Y`,
	'x': `%m/%d/%y`,
	'X': `%H:%M:%S`,
}

// meant are the directives of other programs, and what to write for them.
var meant = map[byte]string{
	's': `{EPOCH}`,
	'T': `%H:%M:%S`,
	'R': `%H:%M`,
	'F': `%Y-%m-%d`,
	'D': `%m/%d/%y`,
	'e': `%d`,
	'h': `%b`,
	'P': `%p`,
	'r': `%I:%M:%S %p`,
	'C': `%Y in place of the century and the year`,
	'N': `%f`,
	'L': `%f`,
	't': `\s`,
	'n': `\s`,
}
