package scan

// Literals that are shorter may have a tier of their own.
const leastLong = 7

// tiersOf sorts the literals into tiers: all into one, or the short ones into another.
func tiersOf(lits []Literal, s *survey) []*tier {
	var all, long, short []int32
	for i, l := range lits {
		all = append(all, int32(i))
		if len(l.Text) < leastLong {
			short = append(short, int32(i))
		} else {
			long = append(long, int32(i))
		}
	}
	if len(all) == 0 {
		return nil
	}
	one, cost := s.class(lits, all)
	if len(long) > 0 && len(short) > 0 {
		a, costA := s.class(lits, long)
		b, costB := s.class(lits, short)
		if costA+costB < cost {
			return []*tier{s.tier(a, lits, long), s.tier(b, lits, short)}
		}
	}
	return []*tier{s.tier(one, lits, all)}
}

// class returns the way to look for some of the literals that costs least.
func (s *survey) class(all []Literal, some []int32) (best class, cost float64) {
	var lits []Literal
	least := len(all[some[0]].Text)
	for _, i := range some {
		least = min(least, len(all[i].Text))
		lits = append(lits, all[i])
	}
	try := func(size, way int) {
		f := newForm(size, anyFold(lits), way)
		seen := make([][]sight, len(lits))
		for i, l := range lits {
			seen[i] = s.of(f, l.Text)
		}
		// With a wider one the shortest literal does not say two bytes of a gram.
		widest := min(least-size+3, mostStride)
		for stride := max(leastStride, widest-2); stride <= widest; stride++ {
			c := class{f, stride}
			if each := s.each(c, lits, seen); best.size == 0 || each < cost {
				best, cost = c, each
			}
		}
	}
	size := 3
	if least >= leastLong {
		size = 4
	}
	try(size, 0)
	try(size+1, 0)
	for way := 1; way < ways; way++ {
		try(best.size, way)
	}
	return best, cost
}
