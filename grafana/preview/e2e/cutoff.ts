// Finds text that a reader cannot see in full.
import type { Page } from '@playwright/test'

/** Pixels that rounding may cost. */
const TOLERANCE = 1.5
/** The part of the height of a line, above and below, that contains no ink of most letters. */
const LEADING = 0.2

/**
 * Records text that is drawn beyond the edge of a canvas, such as the axes of plots. Times are exempt: Grafana draws the
 * time at the edge of the range beyond the plot.
 */
export async function watchCanvases(page: Page): Promise<void> {
  await page.addInitScript((tolerance) => {
    const draw = CanvasRenderingContext2D.prototype.fillText
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
      const { actualBoundingBoxLeft, actualBoundingBoxRight } = this.measureText(text)
      const ends = [x - actualBoundingBoxLeft, x + actualBoundingBoxRight].map((end) =>
        this.getTransform().transformPoint({ x: end, y }),
      )
      const { width, height } = this.canvas
      const inside = ends.every(
        (end) =>
          end.x >= -tolerance && end.x <= width + tolerance && end.y >= 0 && end.y <= height + tolerance,
      )
      if (!inside && !/^\d\d:\d\d(:\d\d)?$/.test(text)) this.canvas.setAttribute('data-cut-off', text)
      draw.call(this, text, x, y, ...rest)
    }
  }, TOLERANCE)
}

/** Returns the texts that an element of the page hides: cut off at its edge, or reachable only by scrolling. */
export function findCutOffText(page: Page): Promise<string[]> {
  return page.evaluate(
    ([tolerance, leading]) => {
      const isCutOff = (text: Node) => {
        const range = document.createRange()
        range.selectNodeContents(text)
        const box = range.getBoundingClientRect()
        const [top, bottom] = [box.top + box.height * leading, box.bottom - box.height * leading]
        for (let element = text.parentElement; element; element = element.parentElement) {
          const frame = element.getBoundingClientRect()
          const { overflowX, overflowY, textOverflow } = getComputedStyle(element)
          const wide = box.right > frame.right + tolerance || box.left < frame.left - tolerance
          const high = bottom > frame.bottom + tolerance || top < frame.top - tolerance
          const shortened =
            textOverflow === 'ellipsis' && element.scrollWidth > element.clientWidth + tolerance
          if (overflowX !== 'visible' && (wide || shortened)) return true
          // The page itself may scroll down.
          if (overflowY !== 'visible' && high && element !== document.documentElement) return true
        }
        return false
      }
      const found = [...document.querySelectorAll('canvas[data-cut-off]')].map(
        (canvas) => canvas.getAttribute('data-cut-off') ?? '',
      )
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
      while (walker.nextNode()) {
        const text = walker.currentNode
        const visible = text.parentElement?.checkVisibility({ visibilityProperty: true }) ?? false
        if (text.textContent?.trim() !== '' && visible && isCutOff(text)) found.push(text.textContent ?? '')
      }
      return found
    },
    [TOLERANCE, LEADING] as const,
  )
}
