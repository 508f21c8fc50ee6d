package main

import (
	"os"

	"golang.org/x/term"
)

// pipedWidth is the width of a table that no terminal shows and --width does not
// set: the same on every machine.
const pipedWidth = 100

// terminal gives the columns of a stream that is a terminal.
func terminal(stream any) (columns int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 {
		columns = pipedWidth
	}
	return columns, true
}
