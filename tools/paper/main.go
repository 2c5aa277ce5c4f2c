// Command paper prints the examples and counts their pages: an agreement that nobody reads to its end is not signed with open eyes.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/paper"
	"github.com/leadpact/leadpact/services/leadpact/printer"
)

// most is how many pages an example may have; its first and its last are the summary and the signatures, alone.
const most = 5

func main() {
	out := flag.String("out", "", "folder for the papers; none unless given")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *out, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "paper:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string, files []string) error {
	p, err := printer.Find("")
	if err != nil {
		return err
	}
	bad := 0
	for _, file := range files {
		for _, size := range []paper.Size{paper.A4, paper.Letter} {
			n, err := count(ctx, p, file, size, out)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			verdict := "holds"
			if n.all > most || n.front != 1 || n.sign != 1 {
				verdict, bad = "falls short", bad+1
			}
			fmt.Printf("%s on %s: %d pages, %d of summary, %d of signatures: %s\n", file, size, n.all, n.front, n.sign, verdict)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d papers are longer than %d pages, or their summary or signatures longer than one", bad, most)
	}
	return nil
}

type pages struct{ all, front, sign int }

// count prints a paper whole, and its summary and its signatures alone.
func count(ctx context.Context, p *printer.Printer, file string, size paper.Size, out string) (pages, error) {
	a, _, faults, err := agreement.Load(file, os.ReadFile)
	if err != nil {
		return pages{}, err
	}
	if len(faults) > 0 {
		return pages{}, fmt.Errorf("it has faults: leadpact check %s", file)
	}
	page, err := paper.HTML(a, paper.Sheet{Size: size})
	if err != nil {
		return pages{}, err
	}
	var n pages
	for _, part := range []struct {
		hide string
		to   *int
	}{{"", &n.all}, {".chapter, .sign", &n.front}, {".chapter, .front", &n.sign}} {
		style := []byte("<style>.front, .sign { break-after: auto !important; break-before: auto !important } " + part.hide + " { display: none !important }</style></head>")
		shown := page
		if part.hide != "" {
			shown = bytes.Replace(page, []byte("</head>"), style, 1)
		}
		pdf, err := p.PDF(ctx, shown)
		if err != nil {
			return pages{}, err
		}
		*part.to = printer.Pages(pdf)
		if part.hide == "" && out != "" {
			name := filepath.Join(out, fmt.Sprintf("%s-%s.pdf", filepath.Base(filepath.Dir(file)), size))
			if err := os.WriteFile(name, pdf, 0o600); err != nil {
				return pages{}, err
			}
		}
	}
	return n, nil
}
