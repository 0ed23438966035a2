// What was not taken, changes that were refused, with what becomes of them; and news, which are said elsewhere already.
import type { ReactNode } from 'react'
import { hasTarget } from '../changes.js'
import { useSession, useView } from '../hooks/board.js'
import type { Notice } from '../store.js'
import { mayBeTaken } from '../words.js'
import { Icon } from './Icon.js'

export function Notices(): ReactNode {
  const { store } = useSession()
  const { data, notices, failures } = useView()
  const { queue } = store.sync
  const settle = (work: Promise<void>): void => {
    void work.catch(() => store.notice('That did not work. Try again.')).then(() => store.readQueue())
  }
  return (
    <section className="notices" aria-label="Notices">
      <div>
        {notices.filter(isNews).map((notice) => (
          <NoticeItem key={notice.id} notice={notice} />
        ))}
      </div>
      <div role="alert">
        {failures.map(({ detail, change, why }) => (
          <div key={detail.entry.seq} className="notice">
            <Icon name="warning" />
            <div className="notice-text">
              <p>
                <strong>{change.what}</strong> was not saved: {why}.
              </p>
              <div className="notice-buttons">
                {mayBeTaken(detail, hasTarget(data, change)) && (
                  <button
                    type="button"
                    className="button button-small"
                    onClick={() => settle(queue.retry(detail.entry.seq))}
                  >
                    Try again
                  </button>
                )}
                <button
                  type="button"
                  className="button button-small button-quiet"
                  onClick={() => settle(queue.dismiss(detail.entry.seq))}
                >
                  Dismiss
                </button>
              </div>
            </div>
          </div>
        ))}
        {notices
          .filter((notice) => !isNews(notice))
          .map((notice) => (
            <NoticeItem key={notice.id} notice={notice} />
          ))}
      </div>
    </section>
  )
}

const isNews = ({ kind }: Notice): boolean => kind === 'news'

function NoticeItem({ notice: { id, kind, text } }: { notice: Notice }): ReactNode {
  const { store } = useSession()
  return (
    <div className="notice" data-kind={kind}>
      <Icon name={kind === 'news' ? 'people' : 'warning'} />
      <p className="notice-text">{text}</p>
      <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => store.dismiss(id)}>
        <Icon name="close" />
      </button>
    </div>
  )
}
