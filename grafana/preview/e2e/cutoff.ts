// Finds text that a reader cannot see in full.
import type { Page } from '@playwright/test'

/** Half a pixel of a line is lost to rounding. */
const TOLERANCE = 1.5

/** Records the text that is drawn beyond the edge of a canvas: Grafana draws the axes of plots into one. */
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
      if (!inside) this.canvas.setAttribute('data-cut-off', text)
      draw.call(this, text, x, y, ...rest)
    }
  }, TOLERANCE)
}

/** Returns the texts that an element on the page hides: cut off at its edge, or reachable only by scrolling. */
export function findCutOffText(page: Page): Promise<string[]> {
  return page.evaluate((tolerance) => {
    const found = [...document.querySelectorAll('canvas[data-cut-off]')].map(
      (canvas) => `${canvas.getAttribute('data-cut-off') ?? ''} (in a plot)`,
    )
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
      const text = walker.currentNode
      if (
        text.textContent?.trim() === '' ||
        !text.parentElement?.checkVisibility({ visibilityProperty: true })
      )
        continue
      const range = document.createRange()
      range.selectNodeContents(text)
      const box = range.getBoundingClientRect()
      for (let element: Element | null = text.parentElement; element; element = element.parentElement) {
        // The page itself may scroll down, but not to the right.
        const root = element === document.body || element === document.documentElement
        const { overflowX, overflowY, position } = getComputedStyle(element)
        const frame = element.getBoundingClientRect()
        const wide = box.right > frame.right + tolerance || box.left < frame.left - tolerance
        const high = box.bottom > frame.bottom + tolerance || box.top < frame.top - tolerance
        const ellipsis =
          element.scrollWidth > element.clientWidth && getComputedStyle(element).textOverflow === 'ellipsis'
        if ((overflowX !== 'visible' && (wide || ellipsis)) || (overflowY !== 'visible' && high && !root)) {
          found.push(text.textContent ?? '')
          break
        }
        if (position === 'fixed') break
      }
    }
    return found
  }, TOLERANCE)
}
