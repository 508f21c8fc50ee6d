package output

import (
	"bytes"
	"strings"
)

// page is a table output in the making: lines of at most width columns.
//
// Every text reaches it through a para, which cleans it; nothing else writes
// what the report says.
type page struct {
	buf   bytes.Buffer
	width int
	color bool
	err   error // of the table library, or of a document that is no JSON
}

// margin is the indent of everything under a heading.
const margin = 2

// put writes paragraphs, one below the other.
func (p *page) put(ps ...para) {
	for _, q := range ps {
		for _, l := range q.layout(p.width, 0) {
			p.line(l.indent, p.paint(q.style, l.text))
		}
	}
}

// indented writes paragraphs inside the margin.
func (p *page) indented(ps ...para) {
	for _, q := range ps {
		p.put(q.in(margin))
	}
}

// labelWidth is the room for a field's label, the longest being "Confirm first".
const labelWidth = 14

// field writes a label and, beside it, paragraphs; without these nothing.
func (p *page) field(label string, ps ...para) {
	p.labelled(text(label), labelWidth, ps)
}

// labelled is a field with a label of its own style and width.
func (p *page) labelled(label para, width int, ps []para) {
	head := columns(clean(label.text)) + label.indent
	left := strings.Repeat(" ", label.indent) + p.paint(label.style, clean(label.text))
	start := margin + width
	for _, q := range ps {
		for _, l := range q.layout(p.width-start, start) {
			s := p.paint(q.style, l.text)
			switch {
			case left == "":
				p.line(start+l.indent, s)
			case margin+head < start+l.indent: // a blank at least between them
				p.line(margin, left+strings.Repeat(" ", start+l.indent-margin-head)+s)
			default: // the line needs the label's room
				p.line(margin, left)
				p.line(start+l.indent, s)
			}
			left = ""
		}
	}
}

// line writes one line that is cleaned and fits.
func (p *page) line(indent int, s string) {
	p.buf.WriteString(strings.TrimRight(strings.Repeat(" ", indent)+s, " "))
	p.buf.WriteByte('\n')
}

func (p *page) blank() { p.buf.WriteByte('\n') }

// rule draws a line of c across the page.
func (p *page) rule(c string) { p.line(0, strings.Repeat(c, p.width)) }

// heading begins a section of the report.
func (p *page) heading(s string) {
	p.blank()
	p.put(text(s))
	p.rule("-")
}
