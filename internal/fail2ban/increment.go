package fail2ban

import (
	"errors"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban/ini"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
)

// readIncrement reads whether and how the bantime grows. What is wrong with it
// does not matter while it does not.
func (j *jail) readIncrement() error {
	on, err := j.truth("bantime.increment")
	if err != nil {
		return err
	}
	inc := config.Increment{Enabled: on, Factor: 1}
	var overall error
	inc.OverallJails, overall = j.truth("bantime.overalljails")
	if err := errors.Join(j.readFactor(&inc), j.readGrowth(&inc), j.readCeiling(&inc), overall); err != nil && on {
		return err
	}
	if on {
		j.out.Increment = inc
	} else {
		inc = config.NewJail(j.name).Increment // the rest means nothing then, and is what it is where nothing is said
		inc.Enabled, inc.MaxTime = false, max(inc.MaxTime, j.out.BanTime)
		j.out.Increment = inc
	}
	return nil
}

// some returns an option that says something.
func (j *jail) some(option string) (ini.Text, bool, error) {
	t, ok, err := j.get(option)
	return t, ok && t.String() != "", err
}

func (j *jail) readFactor(inc *config.Increment) error {
	t, ok, err := j.some("bantime.factor")
	if err != nil || !ok {
		return err
	}
	if inc.Factor, err = value.Number(t.String()); err != nil || inc.Factor <= 0 {
		return unlike("bantime.factor", t, value.Quote(t.String())+" is not a number above 0; write one such as 2")
	}
	return nil
}

func (j *jail) readGrowth(inc *config.Increment) error {
	t, ok, err := j.some("bantime.multipliers")
	if err != nil {
		return err
	}
	if ok {
		for word := range strings.FieldsSeq(t.String()) {
			n, err := strconv.Atoi(word)
			if err != nil || n < 1 {
				return wrong(t.Place(), "bantime.multipliers: %s is not a whole number above 0; write such as 1 2 4 8", value.Quote(word))
			}
			inc.Multipliers = append(inc.Multipliers, n)
		}
		return nil // they count in place of a formula
	}
	if t, ok, err = j.some("bantime.formula"); err != nil || !ok {
		return err
	}
	if inc.Formula, err = config.Formula(t.String()); err != nil {
		return wrong(t.Place(), "bantime.formula: %v", err)
	}
	return nil
}

func (j *jail) readCeiling(inc *config.Increment) error {
	limit, at, err := j.time("bantime.maxtime", 0)
	switch {
	case err == nil && limit < 0:
		err = wrong(at, "bantime.maxtime: is less than nothing; take it out for no bound")
	case limit > 0:
		inc.MaxTime = min(max(limit, j.out.BanTime), config.LongestTime)
	}
	random, at, e := j.time("bantime.rndtime", 0)
	if inc.RandomTime = random; e == nil && random < 0 {
		e = wrong(at, "bantime.rndtime: is less than nothing; take it out")
	}
	return errors.Join(err, e)
}
