"""The words around one-time codes, in the languages of the world: a line a language or script.

Words stand as regular expressions with blanks between them; `_` is a blank or hyphen that may be there or not.
"""

import re


def _any(words: str) -> str:
    return "|".join(word.replace("_", r"[ \u00a0-]?") for word in words.split())


def _pattern(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE)


# Words that say "code", alone or at the end of a longer word.
_CODE = _any(r"""
    codes? c[óo]digos? codice codici cod(?:ul)?
    kod(?:en|et|e|u|y|em|un?uz)? koodi(?:si)? k[óo]d(?:ja|od|ot)?
""")
# Others that mean one; whole words.
_SECRET = _any(r"""
    pass_codes? otps? one_time_(?:pass\w*|pin) pin tan mtan token password
    einmal(?:passwort|kennwort|pin) passwort kennwort
    mot_de_passe contrase[ñn]a clave senha wachtwoord heslo jelsz[óo] parola şifre\w* mã
""")
# And in scripts in which words have no clear ends.
_CODE_IN_OTHER_SCRIPTS = _any(r"""
    код\w{0,3} парол\w{1,2} κωδικ\w{1,3}
    رمز كود کد קוד סיסמ\w कोड ओटीपी รหัส
    验证码 驗證碼 校验码 动态码 動態密碼 认证码 代码 代碼
    コード 認証番号 確認番号 暗証番号 ワンタイムパスワード
    인증_번호 인증_코드 확인_번호 코드
""")
CODE = _pattern(rf"\b[\w-]{{0,24}}(?:{_CODE})\b|\b(?:{_SECRET})\b|{_CODE_IN_OTHER_SCRIPTS}")

_PURPOSES = _any(r"""
    verif\w{2,12} confirm\w{2,10} auth\w{3,14} security log_in sign_in access one_time single_use temporary two_factor
    2fa mfa activation reset recovery validation pass_code
    sicherheits\w{0,4} best[äa]tigungs\w{0,4} anmelde\w{0,4} zugangs\w{0,4} einmal\w{0,4} aktivierungs\w{0,4}
    v[ée]rification s[ée]curit[ée]
    verificaci[óo]n seguridad acceso
    verifica[çc][ãa]o seguran[çc]a acesso
    verifica sicurezza accesso
    verificatie beveiligings bevestigings
    verifierings bekr[æa]ftelses vahvistus
    weryfikacyjn\w{1,3} ov[ěe]řovac\w{1,3} meger[őo]s[íi]t\w{1,4}
    подтвержден\w{1,3} проверочн\w{1,3} безопасност\w{1,3} підтвердження
    onay do[ğg]rulama g[üu]venlik verifikasi xác_(?:minh|nhận|thực) ยืนยัน
    التحقق אימות تأیید सत्यापन
    验证码 驗證碼 校验码 动态码 動態密碼 认证码
    確認コード 認証コード 認証番号 暗証番号 ワンタイム
    인증 확인_코드
""")
PURPOSE = _pattern(rf"{_PURPOSES}|\b(?:otp|tan|pin)\b")
"""What a one-time code is for: said nearby, it makes one surer."""

_OTHER_CODES = _any(r"""
    zip post(?:al)? area country dialling dress error source bar qr promo(?:tion(?:al)?)? discount coupon voucher gift
    referral status sort swift bic vat tax product item article booking reservation order tracking model class building
    postleit fehler quell strich rabatt gutschein geschenk artikel buchungs reservierungs
    promotionnel de_r[ée]duction promocional de_descuento
""")
OTHER_CODE = _pattern(
    rf"(?:{_OTHER_CODES})[ \u00a0-]?(?:codes?|c[óo]digos?|codice|kod[ey]?|cupom)"
    r"|c[óo]d(?:igo)?\.? (?:postal|promocional|de descuento)|code (?:postal|promo\w*|de r[ée]duction|of conduct)"
    r"|codice (?:fiscale|sconto|postale)"
)
"""Codes that are no secret of one moment."""

_NUMBERED = _any(r"""
    orders? invoices? receipt ticket case ref(?:erence|erenz)?\.? tracking shipment parcel customer client account
    member\w{0,6} policy contract tel phone fax call mobile hotline dial zip po_box suite room iban bic
    ending(?:_in|_with)? ends?(?:_in|_with)? last_(?:four_)?digits card total amount price balance
    version build release edition issue pull_request pr commit revision flight train copyright since founded from until
    street st str road avenue ave
    bestell\w{0,12} auftrag\w{0,8} rechnung\w{0,8} quittung vorgang\w{0,8} aktenzeichen sendung\w{0,8} paket\w{0,8}
    kunden\w{0,8} konto\w{0,8} mitglied\w{0,8} vertrag\w{0,8} telefon\w{0,6} rufen_sie plz postfach postleitzahl blz hrb
    ust\w{0,8} steuer\w{0,8} endet_auf endend_auf letzten_(?:vier_)?ziffern karte\w{0,6} betrag summe preis flug zug
    seit bis straße
    commande facture compte t[ée]l[ée]phone appelez terminant_par carte montant prix vol depuis siren siret vat rue
    pedido factura cliente cuenta tel[ée]fono llame terminada_en tarjeta importe precio saldo desde calle
    ordine fattura fatura bestelling factuur faktur\w? conta via
    january february march april may june july august september october november december
    januar februar märz mai juni juli oktober dezember
    janvier février mars avril juin juillet août septembre octobre novembre décembre
    enero febrero marzo abril mayo junio julio septiembre octubre noviembre diciembre
    заказ\w{0,2} счет\w{0,2} счёт\w{0,2} телефон\w{0,2}
""")
_NUMBERED_IN_OTHER_SCRIPTS = _any("订单 訂單 电话 電話 注文番号 주문번호 전화")
OTHER_NUMBER = _pattern(
    rf"(?:\b(?:{_NUMBERED})|{_NUMBERED_IN_OTHER_SCRIPTS})"
    r"(?:[ \u00a0-]?(?:numbers?|no|nr|num|n[°ºo]|nummer|num[ée]ro|n[úu]mero|id|#|号|號))?\.?"
    r"[ \u00a0]?[:#.*x•…№°-]{0,6}[ \u00a0]{0,2}(?:is|ist|est|es|at|us at|on|in)?[ \u00a0]?[:#•*x]{0,8}[ \u00a0]?$"
    r"|(?:©|\(c\)|№|nr\.|no\.|n°|\bv|[$€£¥₹₽₩]|\b(?:usd|eur|gbp|chf))[ \u00a0]{0,2}$"
)
"""What a number is when this stands just before it."""

_UNITS = _any(r"""
    min(?:ute)?s? hours? hrs? days? sec(?:ond)?s? years? people users? points? items? words? characters? times? st rd th
    minuten stunden? tage?n? sekunden? jahren? punkte?
    heures? jours? secondes? ans horas? d[ií]as? minutos segundos a[nñ]os
    minut\w{0,4} ore giorni anni minuut uur dagen timer? tim dni минут\w* час\w* дн\w*
    eur euros? usd gbp chf dollars? pln zł kč sek nok dkk руб\w* ₽ € \$ £
    [kmg]b [kc]?m kg px
    分 時間 小时 天 円 元 분 시간 원
""")
COUNTED = _pattern(rf"[ \u00a0-]?(?:{_UNITS})(?![a-zà-ž])")
"""What follows a number that counts or costs something."""

_SAID = _any("is are ist lautet est es é è to use är er ow は 는 은 是 为 為") + "|[:：=–—>-]|to jest"
JOINED = _pattern(rf"(?:\s{{0,3}}(?:{_SAID})){{0,2}}[\s\"'“”„«»「」【】\[\](*]{{0,6}}")
"""What may stand between the word and its code."""
