// Line icons of 20 by 20. They say nothing by themselves: what has one has a name as well.
import type { ReactNode } from 'react'

const paths = {
  plus: 'M10 4v12M4 10h12',
  close: 'M5 5l10 10M15 5L5 15',
  check: 'M4.5 10.5l3.5 3.5 7.5-8',
  menu: 'M3 5.5h14M3 10h14M3 14.5h14',
  people:
    'M7 9.5a3 3 0 100-6 3 3 0 000 6zM1.8 16.5c.4-3 2.5-4.7 5.2-4.7s4.800 1.700 5.200 4.700M13 3.800a3 3 0 010 5.500M15 12.200c1.800.700 2.900 2.200 3.200 4.300',
  activity: 'M2 10h3.500l2.500-6 4 12 2.500-6H18',
  sun: 'M10 6.500a3.500 3.500 0 100 7 3.500 3.500 0 000-7zM10 1.500v2M10 16.500v2M1.500 10h2M16.500 10h2M4 4l1.400 1.400M14.600 14.600L16 16M16 4l-1.400 1.400M5.400 14.600L4 16',
  moon: 'M16.500 12.300A7 7 0 017.700 3.500a7 7 0 108.800 8.800z',
  calendar: 'M3.500 5h13v11.500h-13zM3.500 8.500h13M7 3v3.500M13 3v3.500',
  repeat: 'M4 9V8a3 3 0 013-3h8.500M13 2.500L15.500 5 13 7.500M16 11v1a3 3 0 01-3 3H4.500M7 17.500L4.500 15 7 12.500',
  tag: 'M3 9.500V3.500h6l8 8-6 6zM6.500 7h.01',
  text: 'M3.500 5.500h13M3.500 10h13M3.500 14.500h8',
  out: 'M8 3.500H4v13h4M12.500 6.500L16 10l-3.500 3.500M16 10H8',
  trash: 'M3.500 5.500h13M8 5.500v-2h4v2M5.500 5.500l.700 11h7.600l.700-11M8.500 9v4.500M11.500 9v4.500',
  cloud: 'M6 15.500a4 4 0 01-.5-7.970A5 5 0 0115 8.500a3.500 3.500 0 01-.5 7H6zM3 3l14 14',
  warning: 'M10 3l8 14H2zM10 8v4M10 14.500h.01',
  settings: 'M3 6h8M15 6h2M3 14h2M9 14h8M11 4v4M5 12v4M9 12v4M15 4v4',
  clock: 'M10 2.500a7.500 7.500 0 100 15 7.500 7.500 0 000-15zM10 6v4l2.500 2',
}

export type IconName = keyof typeof paths

export function Icon({ name }: { name: IconName }): ReactNode {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  )
}
