// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// checkPlot says whether a plot can be in a file of this name. No name: no plot.
func checkPlot(file string) error {
	if ext := filepath.Ext(file); file != "" && ext != ".svg" && ext != ".png" {
		return fmt.Errorf("--plot %s: want .svg or .png", file)
	}
	return nil
}

// A system keeps its colour, a VPP its dashes.
var (
	colours = []color.Color{
		color.RGBA{0x55, 0x55, 0x55, 0xff},
		color.RGBA{0xcc, 0x33, 0x11, 0xff},
		color.RGBA{0x00, 0x77, 0xbb, 0xff},
		color.RGBA{0x00, 0x99, 0x66, 0xff},
		color.RGBA{0xdd, 0x99, 0x00, 0xff}, // what is no system of this build
	}
	dashes = [][]vg.Length{nil, {vg.Points(2), vg.Points(2)}, {vg.Points(6), vg.Points(3)}}
)

// plot draws what each job takes against the number of ports, both on logarithmic
// scales, one job beside the other.
func (all results) plot(file string) error {
	const columns, tile = 3, 9 * vg.Centimeter
	var rows [][]*plot.Plot
	for _, job := range everyJob {
		of := slices.DeleteFunc(slices.Clone(all), func(r result) bool { return r.Job != job })
		if len(of) == 0 {
			continue
		}
		p, err := of.plotJob(job)
		if err != nil {
			return err
		}
		if len(rows) == 0 || len(rows[len(rows)-1]) == columns {
			rows = append(rows, nil)
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], p)
	}
	if len(rows) == 0 {
		return fmt.Errorf("--plot %s: nothing was measured", file)
	}
	canvas, err := draw.NewFormattedCanvas(columns*tile, vg.Length(len(rows))*tile, filepath.Ext(file)[1:])
	if err != nil {
		return err
	}
	tiles := draw.Tiles{
		Rows: len(rows), Cols: columns,
		PadTop: vg.Points(8), PadBottom: vg.Points(8), PadLeft: vg.Points(8), PadRight: vg.Points(8),
		PadX: vg.Points(16), PadY: vg.Points(16),
	}
	page := draw.New(canvas)
	for i, row := range rows {
		for j, p := range row {
			p.Draw(tiles.At(page, j, i))
		}
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

func (all results) plotJob(job string) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = job, all[0].Workload, "seconds"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())

	var vpps []string
	lines := map[group]plotter.XYs{} // without job and ports
	var order []group
	for _, r := range all {
		if !slices.Contains(vpps, r.VPP) {
			vpps = append(vpps, r.VPP)
		}
		g := group{VPP: r.VPP, System: r.System}
		if lines[g] == nil {
			order = append(order, g)
		}
		lines[g] = append(lines[g], plotter.XY{X: float64(r.Ports), Y: r.Seconds})
	}
	for _, g := range order {
		slices.SortFunc(lines[g], func(a, b plotter.XY) int { return int(a.X - b.X) })
		line, points, err := plotter.NewLinePoints(lines[g])
		if err != nil {
			return nil, err
		}
		line.Color = colours[(len(colours)+slices.Index(allSystems, g.System))%len(colours)]
		line.Dashes = dashes[slices.Index(vpps, g.VPP)%len(dashes)]
		points.Color, points.Shape = line.Color, draw.CircleGlyph{}
		p.Add(line, points)
		name := g.System
		if len(vpps) > 1 {
			version, _, _ := strings.Cut(g.VPP, "-") // the rest is too long for a tile
			name += ", VPP " + version
		}
		p.Legend.Add(name, line, points)
	}
	// Whole decades, and one more for the legend.
	p.Y.Min = math.Pow(10, math.Floor(math.Log10(p.Y.Min)))
	p.Y.Max = math.Pow(10, math.Ceil(math.Log10(p.Y.Max))+1)
	return p, nil
}
