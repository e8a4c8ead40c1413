import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef } from 'react';
import type { Formats } from '../language/formats';
import classes from './overview.module.css';
import type { Series } from './series';

interface PlotProps {
  /** Milliseconds since 1970. */
  times: number[];
  series: readonly Series[];
  step: number;
  formats: Formats;
  /** Changes with the theme: canvases know no CSS. */
  theme: string;
  /** Which point the pointer is on. */
  onPoint: (index: number | null) => void;
}

const HEIGHT = 180;

/** The drawing alone; what it says is in the figure around it. */
export default function Plot({ times, series, step, formats, theme, onPoint }: PlotProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [times.map((time) => time / 1000), ...series.map(({ values }) => values)];
  const shape = `${theme} ${series.map(({ id, color }) => id + color).join()} ${step}`;

  useEffect(() => {
    const element = frame.current!;
    const { color, number } = paletteOf(element);
    const drawn = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        padding: [8, 20, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
        scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.1, 4)] } },
        axes: [
          {
            stroke: color('--muted'),
            grid: { show: false },
            ticks: { show: false },
            font: number,
            size: 26,
            space: 70,
            values: (_, splits, __, ___, increment) =>
              splits.map((seconds) => formats.axis(seconds * 1000, increment * 1000)),
          },
          {
            stroke: color('--muted'),
            grid: { stroke: color('--line'), width: 1 },
            ticks: { show: false },
            font: number,
            size: 44,
            space: 28,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7],
            values: (_, splits) => splits.map((value) => formats.compact(value)),
          },
        ],
        series: [
          {},
          ...series.map((each) => ({
            stroke: color(each.color),
            width: 1.5,
            points: { show: false },
            ...(each.fill && { fill: `color-mix(in srgb, ${color(each.color)} 12%, transparent)` }),
          })),
        ],
        hooks: {
          setCursor: [
            ({ cursor }) => {
              onPoint(cursor.idx ?? null);
            },
          ],
        },
      },
      data.current,
      element,
    );
    plot.current = drawn;
    const observer = new ResizeObserver(() => {
      drawn.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = null;
    };
    // A new drawing only when it looks different; new data are put into the old one below.
  }, [shape, formats]);

  useEffect(() => {
    plot.current?.setData(data.current);
  }, [times, series]);

  return <div ref={frame} className={classes.plot} aria-hidden="true" />;
}

function paletteOf(element: HTMLElement) {
  const style = getComputedStyle(element);
  return {
    color: (name: string) => style.getPropertyValue(name).trim(),
    number: `11px ${style.fontFamily}`,
  };
}
