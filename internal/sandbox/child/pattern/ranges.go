package pattern

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// ranges is a set of characters: ranges with both ends in them, in order, with gaps between.
type ranges [][2]rune

// of makes the union of tables.
func of(tables ...*unicode.RangeTable) ranges {
	var all ranges
	add := func(low, high, stride rune) {
		if stride == 1 {
			all = append(all, [2]rune{low, high})
			return
		}
		for r := low; r <= high; r += stride {
			all = append(all, [2]rune{r, r})
		}
	}
	for _, t := range tables {
		for _, r := range t.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return all.merged()
}

// merged sorts the ranges and joins those that touch.
func (s ranges) merged() ranges {
	slices.SortFunc(s, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	var made ranges
	for _, r := range s {
		if last := len(made) - 1; last >= 0 && r[0] <= made[last][1]+1 {
			made[last][1] = max(made[last][1], r[1])
		} else {
			made = append(made, r)
		}
	}
	return made
}

// complement gives all other characters.
func (s ranges) complement() ranges {
	var made ranges
	next := rune(0)
	for _, r := range s {
		if r[0] > next {
			made = append(made, [2]rune{next, r[0] - 1})
		}
		next = r[1] + 1
	}
	if next <= unicode.MaxRune {
		made = append(made, [2]rune{next, unicode.MaxRune})
	}
	return made
}

// without gives the set less the tables.
func without(s ranges, tables ...*unicode.RangeTable) ranges {
	return append(s.complement(), of(tables...)...).merged().complement()
}

// write writes the set as what stands between the brackets of a class.
func (s ranges) write(b *strings.Builder) {
	for _, r := range s {
		fmt.Fprintf(b, `\u{%x}`, r[0])
		if r[1] > r[0] {
			fmt.Fprintf(b, `-\u{%x}`, r[1])
		}
	}
}
