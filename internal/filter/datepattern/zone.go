package datepattern

import (
	"strings"
	"time"
)

// offset returns how far a zone is east of UTC: an abbreviation, an offset, or
// one after the other (UTC, CEST, +0530, UTC+02:00, GMT-01).
func offset(text []byte) (time.Duration, bool) {
	n := 0
	for n < len(text) && 'a' <= text[n]|0x20 && text[n]|0x20 <= 'z' {
		n++
	}
	east, ok := time.Duration(0), n == 0
	if n > 0 {
		east, ok = abbreviation(text[:n])
	}
	if !ok || n == len(text) {
		return east, ok && n > 0
	}
	sign, digits := text[n], text[n+1:]
	if len(digits) == 5 && digits[2] == ':' {
		m, ok := number(digits[3:])
		h, good := number(digits[:2])
		return signed(sign, east, h, m), ok && good && h < 20 && (sign == '+' || sign == '-')
	}
	hm, ok := number(digits)
	switch len(digits) {
	case 2:
		hm *= 100
	case 4:
	default:
		ok = false
	}
	return signed(sign, east, hm/100, hm%100), ok && hm < 2000 && (sign == '+' || sign == '-')
}

func signed(sign byte, east time.Duration, h, m int) time.Duration {
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if sign == '-' {
		d = -d
	}
	return east + d
}

// abbreviation returns the offset of a zone that is known by a word.
func abbreviation(word []byte) (time.Duration, bool) {
	for _, name := range [...]string{"UTC", "GMT", "Z"} {
		// Patterns with names of months match these in either case.
		if strings.EqualFold(string(word), name) {
			return 0, true
		}
	}
	for _, z := range zones {
		for name := range strings.SplitSeq(z.names, " ") {
			if string(word) == name {
				return time.Duration(z.east) * time.Minute, true
			}
		}
	}
	return 0, false
}

// zones are the words that fail2ban takes for zones, and what they mean there:
// minutes east of UTC. Elsewhere some have other meanings, too; a word that is
// none of them is no zone at all.
var zones = [...]struct {
	east  int
	names string
}{
	{-720, "Y"},
	{-660, "X NUT SST"},
	{-600, "W CKT HAST HST TAHT TKT"},
	{-570, "MART MIT"},
	{-540, "V AKST GAMT GIT HADT HNY"},
	{-480, "U AKDT CIST HAY HNP PST"},
	{-420, "T HAP HNR MST PDT"},
	{-360, "S CST EAST GALT HAR HNC MDT"},
	{-300, "R CDT COT EASST ECT EST HAC HNE PET"},
	{-270, "HLV VET"},
	{-240, "Q AST BOT CLT COST EDT FKT GYT HAE HNA PYT"},
	{-210, "HNT NST"},
	{-180, "P ADT ART BRT CLST FKST GFT HAA PMST PYST SRT UYT WGT"},
	{-150, "HAT NDT"},
	{-120, "O BRST FNT PMDT UYST WGST"},
	{-60, "N AZOT CVT EGT"},
	{0, "EGST WET"},
	{60, "A CET DFT WAT WEDT WEST"},
	{120, "B CAT CEDT CEST EET SAST WAST"},
	{180, "C EAT EEDT EEST IDT MSK"},
	{210, "IRST"},
	{240, "D AMT AZT GET GST KUYT MSD MUT RET SAMT SCT"},
	{270, "AFT IRDT"},
	{300, "E AMST AQTT AZST HMT MAWT MVT PKT TFT TJT TMT UZT YEKT"},
	{330, "SLT"},
	{345, "NPT"},
	{360, "F ALMT BIOT BTT IOT KGT NOVT OMST YEKST"},
	{390, "CCT MMT"},
	{420, "G CXT DAVT HOVT ICT KRAT NOVST OMSST THA WIB"},
	{480, "H ACT AWST BDT BNT CAST HKT IRKT KRAST MYT PHT SGT ULAT WITA WST"},
	{540, "I AWDT IRKST JST KST PWT TLT WDT WIT YAKT"},
	{570, "ACST"},
	{600, "K AEST PGT VLAT YAKST YAPT"},
	{630, "ACDT LHST"},
	{660, "L AEDT LHDT MAGT NCT PONT SBT VLAST VUT"},
	{690, "NFT"},
	{720, "M ANAST ANAT FJT GILT MAGST MHT NZST PETST PETT TVT WFT"},
	{780, "FJST NZDT"},
}
