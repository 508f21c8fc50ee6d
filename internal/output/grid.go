package output

import (
	"bytes"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// column is a column of a grid, with one or more lines of head. One of text gives
// way when the page is narrow, one of numbers does not.
type column struct {
	head    []string
	numbers bool
}

func head(lines ...string) column { return column{head: lines} }

func (c column) numeric() column { c.numbers = true; return c }

// cell is what stands in a grid's cell.
type cell []para

// gutter is the room between two columns: tablewriter's blank on either side of
// a cell.
const gutter = 2

// grid writes rows under headed columns. Cells are broken here and not by the
// library, which knows no joints and cuts what it cannot break.
func (p *page) grid(cols []column, rows [][]cell) {
	if p.err != nil || len(rows) == 0 {
		return
	}
	widths := p.fit(cols, rows)
	aligns := make(tw.Alignment, len(cols))
	mapped := make(tw.Mapper[int, int], len(cols))
	for i, c := range cols {
		aligns[i] = tw.AlignLeft
		if c.numbers {
			aligns[i] = tw.AlignRight
		}
		mapped[i] = widths[i] + gutter
	}
	format := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off},
		Alignment:  tw.CellAlignment{PerColumn: aligns},
		Padding:    tw.CellPadding{Global: tw.PaddingDefault},
	}
	var buf bytes.Buffer
	t := tablewriter.NewTable(&buf,
		tablewriter.WithEastAsian(tw.Off),
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Symbols:  tw.NewSymbols(tw.StyleASCII),
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		})),
		tablewriter.WithHeaderConfig(format),
		tablewriter.WithRowConfig(format),
		tablewriter.WithColumnWidths(mapped),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithTrimLine(tw.Off),
	)
	t.Header(heads(cols, widths))
	for _, row := range rows {
		texts := make([]string, len(row))
		for i, c := range row {
			texts[i] = p.cellText(c, widths[i])
		}
		if p.err = t.Append(texts); p.err != nil {
			return
		}
	}
	if p.err = t.Render(); p.err != nil {
		return
	}
	for s := range strings.Lines(buf.String()) {
		p.line(margin-gutter/2, strings.TrimSuffix(s, "\n"))
	}
}

// heads are the columns' heads, all of one height and underlined.
func heads(cols []column, widths []int) []string {
	height := 0
	for _, c := range cols {
		height = max(height, len(c.head))
	}
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = strings.Join(c.head, "\n") + strings.Repeat("\n", height-len(c.head)+1) + strings.Repeat("-", widths[i])
	}
	return out
}

func (p *page) cellText(c cell, width int) string {
	var lines []string
	for _, q := range c {
		for _, l := range q.layout(width, 0) {
			lines = append(lines, strings.Repeat(" ", l.indent)+p.paint(q.style, l.text))
		}
	}
	return strings.Join(lines, "\n")
}

// fit gives every column its natural width where the page has room. Else those of
// text get what leaves their words unbroken, if there is so much, and share the
// rest, the narrow ones first.
func (p *page) fit(cols []column, rows [][]cell) []int {
	natural := make([]int, len(cols))
	widths := make([]int, len(cols))
	for i, c := range cols {
		for _, head := range c.head {
			widths[i] = max(widths[i], len(head))
		}
		natural[i] = widths[i]
		for _, row := range rows {
			for _, q := range row[i] {
				natural[i] = max(natural[i], q.natural())
				widths[i] = max(widths[i], q.least())
			}
		}
	}
	room := p.width - margin - gutter*(len(cols)-1)
	var texts []int
	for i, c := range cols {
		if !c.numbers {
			texts = append(texts, i)
		}
		room -= widths[i]
	}
	if room < 0 {
		for _, i := range texts {
			room += widths[i]
			widths[i] = 0
		}
	}
	missing := func(i int) int { return natural[i] - widths[i] }
	slices.SortStableFunc(texts, func(a, b int) int { return missing(a) - missing(b) })
	for k, i := range texts {
		more := min(missing(i), max(room/(len(texts)-k), 1-widths[i]))
		widths[i] += more
		room -= more
	}
	return widths
}
