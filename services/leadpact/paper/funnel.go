package paper

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/leadpact/leadpact/internal/agreement"
)

// funnel is the way of a lead as it is drawn.
type funnel struct {
	W, H   float64
	Label  string
	Shapes []shape
	Lines  []shape
	Texts  []label
	// Ways are the legal transitions where the agreement names them.
	Ways []string
}

// shape is a path of a class, with what it shows.
type shape struct{ Class, D, Title string }

// label is a text at a place.
type label struct {
	Class, Anchor string
	X, Y          float64
	Text          string
}

// The drawing's measures, in its own units.
const (
	funnelWidth = 720.0
	endWidth    = 108.0 // of a final stage
	endHeight   = 30.0
	endGap      = 8.0
	mouth       = 42.0 // half the height where leads come in
	neck        = 21.0 // and where they go out
	gap         = 2.0
	mostSteps   = 12 // more have no room for their names
	mostEnds    = 6
)

// drawing is the funnel while it is drawn.
type drawing struct {
	f        *funnel
	steps    []agreement.Stage // that a lead goes through
	ends     []agreement.Stage
	recycled *agreement.Stage
	right    float64 // where the steps end
	middle   float64 // the axis
	handoff  int     // which step begins it; -1 when none does
	arcs     float64 // room above
}

// newFunnel draws the stages; nil when they are too many to be read.
func newFunnel(a *agreement.Agreement) *funnel {
	d := drawing{f: &funnel{W: funnelWidth}, handoff: -1}
	for _, s := range a.Stages {
		switch {
		case s.Recycled:
			d.recycled = &s
		case s.Final:
			d.ends = append(d.ends, s)
		default:
			if s.Name == a.Handoff.At {
				d.handoff = len(d.steps)
			}
			d.steps = append(d.steps, s)
		}
		if len(s.Next) > 0 {
			d.f.Ways = append(d.f.Ways, s.Name+" → "+strings.Join(s.Next, ", "))
		}
	}
	if len(d.steps) == 0 || len(d.steps) > mostSteps || len(d.ends) > mostEnds {
		return nil
	}
	d.right = funnelWidth
	if len(d.ends) > 0 {
		d.right -= endWidth + 34
	}
	d.arcs = 14 * float64(len(d.leaps()))
	ends := float64(len(d.ends))*(endHeight+endGap) - endGap
	d.middle = 30 + math.Max(mouth+d.arcs, ends/2)
	d.f.H = d.middle + math.Max(mouth, ends/2) + 4
	d.draw()
	d.f.Label = d.words()
	return d.f
}

func (d *drawing) x(i int) float64 { return d.right * float64(i) / float64(len(d.steps)) }

// half is half the funnel's height at a place.
func (d *drawing) half(x float64) float64 { return mouth - (mouth-neck)*x/d.right }

func (d *drawing) draw() {
	for i, s := range d.steps {
		from, to := d.x(i), d.x(i+1)-gap
		d.f.Shapes = append(d.f.Shapes, shape{"step " + side(s.Owner), poly(from, d.middle-d.half(from), to, d.middle-d.half(to), to, d.middle+d.half(to), from, d.middle+d.half(from)), s.Name})
		room := int((to - from - 8) / 7.4)
		d.text("name", "middle", (from+to)/2, d.middle-1, clip(s.Name, room))
		d.text("owner", "middle", (from+to)/2, d.middle+13, clip(string(s.Owner), room+2))
		if i > 0 && !allows(d.steps[i-1], s.Name) {
			d.line("bar", fmt.Sprintf("M%s %sV%s", px(from-gap/2), px(d.middle-d.half(from)-4), px(d.middle+d.half(from)+4)))
		}
	}
	d.drawHandoff()
	d.drawEnds()
	for i, l := range d.leaps() {
		d.leap(l, 14*float64(i+1))
	}
	if d.recycled != nil {
		d.drawRecycled()
	}
}

// drawHandoff marks where marketing's lead becomes sales'.
func (d *drawing) drawHandoff() {
	if d.handoff < 0 {
		return
	}
	x := d.x(d.handoff) - gap/2
	d.line("handoff", fmt.Sprintf("M%s %sV%s", px(x), px(14), px(d.middle+d.half(x)+6)))
	d.f.Shapes = append(d.f.Shapes, shape{Class: "flag", D: poly(x, 4, x+9, 9, x, 14)})
	anchor, at := "start", x+13
	if x > d.right-80 {
		anchor, at = "end", x-6
	}
	d.text("handoff", anchor, at, 13, "handoff")
}

func (d *drawing) endAt(i int) (x, y float64) {
	all := float64(len(d.ends))*(endHeight+endGap) - endGap
	return funnelWidth - endWidth, d.middle - all/2 + float64(i)*(endHeight+endGap)
}

func (d *drawing) drawEnds() {
	last := d.steps[len(d.steps)-1]
	for i, s := range d.ends {
		x, y := d.endAt(i)
		d.f.Shapes = append(d.f.Shapes, shape{"end " + side(s.Owner), pill(x, y, endWidth, endHeight), s.Name})
		d.text("name", "middle", x+endWidth/2, y+endHeight/2+4.5, clip(s.Name, 13))
		if allows(last, s.Name) {
			mid := y + endHeight/2
			d.line("way", fmt.Sprintf("M%s %sC%s %s %s %s %s %s", px(d.right+3), px(d.middle), px(d.right+16), px(d.middle), px(d.right+10), px(mid), px(x-6), px(mid)))
			d.arrow(x-1, mid, 1, 0)
		}
	}
}

// leap is a legal transition that is not to the next step.
type leap struct{ from, to int } // behind the steps come the ends

// leaps are what the text allows by name beyond the next step; where it names nothing, every later stage may follow and none is drawn.
func (d *drawing) leaps() []leap {
	var out []leap
	all := append(slices.Clone(d.steps), d.ends...)
	for i, s := range d.steps {
		for _, to := range s.Next {
			at := slices.IndexFunc(all, func(x agreement.Stage) bool { return x.Name == to })
			if at < 0 || at == i+1 && at < len(d.steps) || at >= len(d.steps) && i == len(d.steps)-1 {
				continue
			}
			out = append(out, leap{i, at})
		}
	}
	return out
}

// leap draws an arc above the funnel.
func (d *drawing) leap(l leap, height float64) {
	from := (d.x(l.from) + d.x(l.from+1)) / 2
	top := d.middle - mouth - height + 6
	if l.to < len(d.steps) {
		to := (d.x(l.to) + d.x(l.to+1)) / 2
		down := d.middle - d.half(to) - 2
		d.line("way", fmt.Sprintf("M%s %sC%s %s %s %s %s %s", px(from+6), px(d.middle-d.half(from)-2), px(from+10), px(top), px(to-10), px(top), px(to-6), px(down-5)))
		d.arrow(to-6, down, 0, 1)
		return
	}
	x, y := d.endAt(l.to - len(d.steps))
	mid := y + endHeight/2
	d.line("way", fmt.Sprintf("M%s %sC%s %s %s %s %s %s", px(from+6), px(d.middle-d.half(from)-2), px(from+20), px(top), px(x-40), px(top), px(x-6), px(mid)))
	d.arrow(x-1, mid, 1, 0)
}

// drawRecycled leads what is given back to the beginning.
func (d *drawing) drawRecycled() {
	top := d.middle + math.Max(mouth, d.half(0)) + 20
	wide := math.Max(110, math.Min(200, 30+7.4*float64(len([]rune(d.recycled.Name)))))
	first := d.x(1) / 2
	back := d.right - (d.right-d.x(len(d.steps)-1))/2
	x := math.Max(first+60, (first+back)/2-wide/2)
	y := top + 4
	mid := y + endHeight/2
	d.f.Shapes = append(d.f.Shapes, shape{"end " + side(d.recycled.Owner), pill(x, y, wide, endHeight), d.recycled.Name})
	d.text("name", "middle", x+wide/2, y+endHeight/2+4.5, clip(d.recycled.Name, 24))
	d.line("loop", fmt.Sprintf("M%s %sV%sQ%s %s %s %sH%s", px(back), px(d.middle+d.half(back)+3), px(mid-10), px(back), px(mid), px(back-10), px(mid), px(x+wide+6)))
	d.arrow(x+wide+1, mid, -1, 0)
	rise := d.middle + d.half(first) + 3
	d.line("loop", fmt.Sprintf("M%s %sH%sQ%s %s %s %sV%s", px(x), px(mid), px(first+10), px(first), px(mid), px(first), px(mid-10), px(rise+5)))
	d.arrow(first, rise, 0, -1)
	d.text("note", "start", x+wide+16, mid+15, "given back")
	d.text("note", "end", x-10, mid+15, "comes again")
	d.f.H = math.Max(d.f.H, mid+22)
}

// words tell the drawing to those who do not see it.
func (d *drawing) words() string {
	var all []string
	for i, s := range d.steps {
		text := s.Name
		if i == d.handoff {
			text += " (the handoff)"
		}
		all = append(all, text)
	}
	out := "The funnel: " + strings.Join(all, ", ")
	for i, s := range d.ends {
		out += map[bool]string{true: "; ends as ", false: " or "}[i == 0] + s.Name
	}
	if d.recycled != nil {
		out += "; what is given back returns to " + d.recycled.Name
	}
	return out
}

func (d *drawing) text(class, anchor string, x, y float64, text string) {
	d.f.Texts = append(d.f.Texts, label{class, anchor, x, y, text})
}

func (d *drawing) line(class, path string) {
	d.f.Lines = append(d.f.Lines, shape{Class: class, D: path})
}

// arrow is a head whose point is at x, y, and that looks along dx, dy.
func (d *drawing) arrow(x, y, dx, dy float64) {
	d.f.Shapes = append(d.f.Shapes, shape{Class: "head", D: poly(x, y, x-7*dx-3.5*dy, y-7*dy-3.5*dx, x-7*dx+3.5*dy, y-7*dy+3.5*dx)})
}

// allows says whether the stage of that name may follow.
func allows(s agreement.Stage, name string) bool {
	return len(s.Next) == 0 || slices.Contains(s.Next, name)
}

func side(s agreement.Side) string {
	if s == agreement.Marketing {
		return "marketing"
	}
	return "sales"
}

func poly(points ...float64) string {
	var out strings.Builder
	for i := 0; i+1 < len(points); i += 2 {
		out.WriteString(map[bool]string{true: "M", false: "L"}[i == 0] + px(points[i]) + " " + px(points[i+1]))
	}
	return out.String() + "Z"
}

func pill(x, y, w, h float64) string {
	r := h / 2
	return fmt.Sprintf("M%s %sH%sA%s %s 0 0 1 %s %sH%sA%s %s 0 0 1 %s %sZ", px(x+r), px(y), px(x+w-r), px(r), px(r), px(x+w-r), px(y+h), px(x+r), px(r), px(r), px(x+r), px(y))
}

// clip shortens a text to so many characters.
func clip(text string, room int) string {
	r := []rune(text)
	if len(r) <= max(room, 2) {
		return text
	}
	return string(r[:max(room, 2)-1]) + "…"
}

// px is a place on the drawing, to a tenth.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }
