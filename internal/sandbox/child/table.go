package child

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// table logs an array or object of rows as a table of their members, like Node's console.table; anything else as log does.
func (c *console) table(args []goja.Value) {
	data, ok := first(args).(*goja.Object)
	if !ok {
		c.say("info", args)
		return
	}
	p := &inspector{scope: c.scope, limit: c.left}
	rows := data.Keys()
	rows = rows[:min(len(rows), maxInspectItems)]
	columns := []string{"(index)"}
	cells := make([]map[string]string, len(rows))
	var wanted []string
	if len(args) > 1 {
		if list, ok := args[1].(*goja.Object); ok {
			for _, key := range list.Keys() {
				wanted = append(wanted, list.Get(key).String())
			}
		}
	}
	const valuesColumn = "Values"
	values := false
	for i, row := range rows {
		cells[i] = map[string]string{"(index)": row}
		member, ok := data.Get(row).(*goja.Object)
		if !ok {
			cells[i][valuesColumn], values = p.value(data.Get(row), 1, 0), true
			continue
		}
		for _, key := range member.Keys() {
			if wanted != nil && !slices.Contains(wanted, key) || len(columns) > maxInspectItems {
				continue
			}
			if !slices.Contains(columns, key) {
				columns = append(columns, key)
			}
			if v := member.Get(key); !p.full() {
				cells[i][key] = p.value(v, maxInspectDepth+1, 0)
			}
		}
	}
	if values {
		columns = append(columns, valuesColumn)
	}
	c.add("info", drawTable(columns, cells))
}

// drawTable draws rows of cells, by column, in a frame.
func drawTable(columns []string, rows []map[string]string) string {
	widths := make([]int, len(columns))
	lines := make([]string, len(columns))
	for i, column := range columns {
		widths[i] = utf8.RuneCountInString(column)
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[column]))
		}
		lines[i] = strings.Repeat("─", widths[i]+2)
	}
	var b strings.Builder
	write := func(cell func(column string) string) {
		for i, column := range columns {
			s := cell(column)
			b.WriteString("│ " + s + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(s)+1))
		}
		b.WriteString("│\n")
	}
	b.WriteString("┌" + strings.Join(lines, "┬") + "┐\n")
	write(func(column string) string { return column })
	b.WriteString("├" + strings.Join(lines, "┼") + "┤\n")
	for _, row := range rows {
		write(func(column string) string { return row[column] })
	}
	b.WriteString("└" + strings.Join(lines, "┴") + "┘")
	return b.String()
}
