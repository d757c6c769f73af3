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
	sizes := []int{3, 4}
	if least >= leastLong {
		sizes = []int{4, 5}
	}
	for _, size := range sizes {
		// With a wider one the shortest literal does not say two bytes of a gram.
		widest := min(least-size+3, mostStride)
		for way := range ways {
			for stride := max(leastStride, widest-2); stride <= widest; stride++ {
				c := class{newForm(size, anyFold(lits), way), stride}
				if each := s.each(c, lits); best.size == 0 || each < cost {
					best, cost = c, each
				}
			}
		}
	}
	return best, cost
}
