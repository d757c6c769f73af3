package value

import (
	"regexp"
	"slices"
	"strings"
)

// leftover is a tag in lower case, as options have them.
var leftover = regexp.MustCompile(`<[a-z_][a-z0-9_.-]*(?:/[a-z0-9_.-]+)?>`)

// Tags returns the names of the tags in lower case that are left in a pattern, and
// are neither escaped nor name a group.
func Tags(pattern string) (names []string) {
	for _, at := range leftover.FindAllStringIndex(pattern, -1) {
		before := pattern[:at[0]]
		if !strings.HasSuffix(before, `\`) && !strings.HasSuffix(before, "(?P") {
			names = append(names, pattern[at[0]+1:at[1]-1])
		}
	}
	return names
}

// Remedy says what to write in place of a tag that stands for nothing.
func Remedy(name string) string {
	if upper := strings.ToUpper(name); slices.Contains([]string{"HOST", "ADDR", "IP4", "IP6", "CIDR", "SUBNET", "DNS"}, upper) {
		return "write <" + upper + ">"
	}
	return `define it in the filter, or write \<` + name + `> if the log has it so`
}
