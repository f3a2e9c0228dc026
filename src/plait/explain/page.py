"""One self-contained page of an explanation: pointing at a word lights its region, pointing at the photo its words."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plait.data.images import thumbnail_jpeg
from plait.explain.overlay import COLOURS

__all__ = ["explanation_page"]

SIDE_PX = 640

_STYLE = """
:root{color-scheme:light dark;--ink:#1c1c22;--soft:#66666f;--line:#d8d8de;--paper:#fff;--mark:#cd4071}
@media(prefers-color-scheme:dark){:root{--ink:#ececf0;--soft:#a0a0aa;--line:#3a3a42;--paper:#17171b}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1rem}
h1{font-size:1.3rem;margin:0}.soft{color:var(--soft);font-size:.9rem}
.words{display:flex;flex-wrap:wrap;gap:.35rem;margin:1rem 0}
.words button{font:inherit;color:inherit;background:none;border:1px solid var(--line);border-radius:.4rem;
padding:.15rem .5rem;cursor:pointer}
.words button[aria-pressed=true]{border-color:var(--mark);box-shadow:inset 0 0 0 1px var(--mark)}
.photo{position:relative;display:inline-block;max-width:100%;overflow:hidden}
.photo img{display:block;max-width:100%;height:auto}.photo canvas{position:absolute;image-rendering:pixelated}
.photo canvas.smooth{image-rendering:auto}
.verdict{border-left:4px solid var(--mark);padding:.2rem 0 .2rem .8rem;margin:1rem 0}
figure{margin:0}.curves{display:flex;flex-wrap:wrap;gap:1.5rem}svg{max-width:100%;height:auto}
"""

_SCRIPT = """
const data=JSON.parse(document.getElementById('data').textContent),[h,w]=data.grid,box=data.box;
const canvas=document.querySelector('canvas'),img=document.querySelector('.photo img');
const buttons=[...document.querySelectorAll('.words button')];let chosen=-1;
canvas.width=w;canvas.height=h;canvas.style.left=100*box[0]+'%';canvas.style.top=100*box[1]+'%';
canvas.style.width=100*(box[2]-box[0])+'%';canvas.style.height=100*(box[3]-box[1])+'%';
function colour(v){const c=data.colours,n=c.length-1,x=Math.max(0,Math.min(1,v))*n,i=Math.min(n-1,Math.floor(x)),f=x-i;
return c[i].map((a,k)=>Math.round(a+(c[i+1][k]-a)*f))}
function draw(word){const map=(word<0?data.image:data.maps[word]).flat(),top=Math.max(...map,0),low=Math.min(...map,0);
const ctx=canvas.getContext('2d'),out=ctx.createImageData(w,h);
map.forEach((v,i)=>{const c=v<0?[70,110,255]:colour(top>0?v/top:0),s=v<0?(low<0?v/Math.min(low,-top||low):0):1;
out.data.set([...c,v<0?Math.round(165*s):165],4*i)});ctx.putImageData(out,0,0);
buttons.forEach(b=>b.setAttribute('aria-pressed',String(+b.dataset.word===word)))}
buttons.forEach(b=>{const n=+b.dataset.word;b.onmouseenter=b.onfocus=()=>draw(n);b.onmouseleave=()=>draw(chosen);
b.onclick=()=>{chosen=n;draw(n)}});
canvas.onmousemove=e=>{const r=canvas.getBoundingClientRect(),x=Math.floor((e.clientX-r.left)/r.width*w),
y=Math.floor((e.clientY-r.top)/r.height*h);if(x<0||y<0||x>=w||y>=h)return;
const v=data.maps.map(m=>Math.max(0,m[y][x])),top=Math.max(...v,1e-12);
buttons.forEach(b=>{const n=+b.dataset.word;if(n>=0)b.style.background=`rgb(205 64 113 / ${0.6*v[n]/top})`})};
canvas.onmouseleave=()=>buttons.forEach(b=>b.style.background='');
document.getElementById('smooth').onchange=e=>canvas.classList.toggle('smooth',e.target.checked);draw(-1);
"""


def explanation_page(found: Mapping[str, Any], rgb: np.ndarray) -> str:
    """Write the page of an explanation's plain data (`Explanation.to_json`).

    Shapes: rgb (H, W, 3) uint8, the photo.
    """
    picture = base64.b64encode(thumbnail_jpeg(rgb, SIDE_PX)).decode()
    shown = {key: found[key] for key in ("grid", "box", "image", "maps")} | {"colours": [list(c) for c in COLOURS]}
    plain = json.dumps(shown).replace("<", "\\u003c")
    words = "".join(
        f'<button type="button" data-word="{place}" title="without it the answer changes by {-worth:+.3g}">'
        f"{html.escape(word)}</button>"
        for place, (word, worth) in enumerate(zip(found["words"], found["worth"], strict=True))
    )
    height, width = found["grid"]
    faithful = found["faithful"]
    verdict = "".join(f"<p>{html.escape(one)}</p>" for one in (faithful or {}).get("sentences", ()))
    signed = " Blue cells speak against the answer." if found["signed"] else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{html.escape(found["text"])}: {html.escape(found["method"])}</title><style>{_STYLE}</style></head><body><main>
<h1>{html.escape(found["text"])}</h1>
<p class="soft">{html.escape(found["photo"])} · {html.escape(found["method"])} · {html.escape(found["what"])}
{found["value"]:.4g}</p>
<div class="verdict">{verdict or "<p>How faithful this map is was not measured.</p>"}</div>
<div class="words"><button type="button" data-word="-1" aria-pressed="true">whole answer</button>{words}</div>
<div class="photo"><img src="data:image/jpeg;base64,{picture}" alt="{html.escape(found["photo"])}"><canvas></canvas>
</div>
<p class="soft">{height} x {width} cells: the map has no finer detail.{signed}
<label><input type="checkbox" id="smooth"> smooth</label></p>
{_curves(faithful)}
<script type="application/json" id="data">{plain}</script><script>{_SCRIPT}</script></main></body></html>
"""


def _curves(faithful: Mapping[str, Any] | None) -> str:
    if faithful is None:
        return ""
    charts = "".join(
        f"<figure><figcaption>{title}</figcaption>{_chart(faithful[key], faithful[f'random_{key}'])}</figure>"
        for key, title in (
            ("deletion", "Most relevant cells blanked first (lower is better)"),
            ("insertion", "Most relevant cells shown first (higher is better)"),
        )
    )
    return f'<div class="curves">{charts}</div><p class="soft">Solid: by the map. Dashed: mean of random orders.</p>'


def _chart(values: Sequence[float], random: Sequence[float]) -> str:
    """Draw two curves over the share of cells, on a common scale."""
    low, high = min(*values, *random), max(*values, *random)
    span = high - low or 1.0

    def points(line: Sequence[float]) -> str:
        return " ".join(
            f"{10 + 260 * i / (len(line) - 1):.1f},{10 + 110 * (1 - (v - low) / span):.1f}" for i, v in enumerate(line)
        )

    return (
        '<svg viewBox="0 0 280 150" width="280" role="img"><rect x="10" y="10" width="260" height="110" fill="none" '
        'stroke="var(--line)"/>'
        f'<polyline points="{points(random)}" fill="none" stroke="var(--soft)" stroke-dasharray="4 3"/>'
        f'<polyline points="{points(values)}" fill="none" stroke="var(--mark)" stroke-width="2"/>'
        f'<text x="10" y="140" font-size="11" fill="var(--soft)">{low:.3g} to {high:.3g}; cells from 0 to all</text>'
        "</svg>"
    )
