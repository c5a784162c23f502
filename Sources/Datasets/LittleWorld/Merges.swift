// Made by Scripts/little_world_tokenizer.py from the world's own text; do not edit.

extension LittleWorld {
  /// The characters of the world; a byte-level vocabulary writes a space as Ġ.
  static let alphabet = #"+,-.0123456789:;=?[]abcdefghijklmnopqrstuvwxyzĠ"#

  /// Pairs in the order in which they are merged.
  static let merges = #"""
    b~a b~e b~i b~o b~u d~a d~e d~i d~o d~u f~a f~e f~i f~o f~u g~a g~e g~i g~o g~u k~a k~e k~i k~o k~u l~a l~e l~i
    l~o l~u m~a m~e m~i m~o m~u n~a n~e n~i n~o n~u p~a p~e p~i p~o p~u r~a r~e r~i r~o r~u s~a s~e s~i s~o s~u t~a
    t~e t~i t~o t~u v~a v~e v~i v~o v~u z~a z~e z~i z~o z~u Ġ~ba Ġ~be Ġ~bi Ġ~bo Ġ~bu Ġ~da Ġ~de Ġ~di Ġ~do Ġ~du Ġ~fa
    Ġ~fe Ġ~fi Ġ~fo Ġ~fu Ġ~ga Ġ~ge Ġ~gi Ġ~go Ġ~gu Ġ~ka Ġ~ke Ġ~ki Ġ~ko Ġ~ku Ġ~la Ġ~le Ġ~li Ġ~lo Ġ~lu Ġ~ma Ġ~me Ġ~mi
    Ġ~mo Ġ~mu Ġ~na Ġ~ne Ġ~ni Ġ~no Ġ~nu Ġ~pa Ġ~pe Ġ~pi Ġ~po Ġ~pu Ġ~ra Ġ~re Ġ~ri Ġ~ro Ġ~ru Ġ~sa Ġ~se Ġ~si Ġ~so Ġ~su
    Ġ~ta Ġ~te Ġ~ti Ġ~to Ġ~tu Ġ~va Ġ~ve Ġ~vi Ġ~vo Ġ~vu Ġ~za Ġ~ze Ġ~zi Ġ~zo Ġ~zu Ġ~c Ġ~h Ġ~i a~r Ġ~o h~e Ġ~a n~d Ġ~w
    Ġc~o Ġ~s Ġ~t l~l Ġh~a Ġ~b i~n Ġt~he Ġ~f Ġc~a Ġ~j h~o Ġ~p c~o o~k Ġo~f h~a Ġ~e lo~u Ġi~s Ġ~d Ġha~s ha~t o~d n~t
    Ġ~k Ġ~g lo~w Ġj~o Ġh~o Ġw~o lou~r Ġco~in Ġ~y c~k l~d r~n c~re cre~t h~i Ġi~n Ġh~e r~d e~nd ri~end Ġde~ar
    Ġf~riend n~g ve~s Ġgi~ves o~u Ġy~ou p~le l~low Ġ~l Ġ~n Ġ~m Ġse~cret Ġfo~od Ġho~me ar~s Ġco~lour a~d Ġjo~b u~p
    Ġw~ho s~t m~p ra~n Ġo~ran r~t n~na ar~l va~n mi~l no~w lo~ok l~y nd~ly tu~rn he~e a~se p~y bo~u te~r r~st t~s
    Ġc~hi so~rt co~u cou~nt Ġ~= Ġbo~ok Ġc~le Ġse~e Ġha~t Ġc~up Ġla~mp Ġcoin~s Ġke~y Ġpa~y Ġba~ll j~o co~rd d~y e~nt
    ho~w li~ng me~dy pa~ti pati~ent re~cord ru~n Ġ~[ Ġlo~ad Ġre~medy Ġru~ling Ġs~how Ġto~ok ve~r sa~y t~he w~hat
    te~ll bou~t de~r n~der Ġa~bout Ġwo~nder Ġca~n Ġk~now Ġsa~y Ġa~nna Ġw~hat Ġha~na Ġi~van Ġgu~s Ġki~m Ġe~mil Ġbe~n
    Ġc~arl u~se Ġmo~use ro~g Ġf~rog Ġco~w Ġfo~x Ġdo~g Ġfa~y Ġdu~ck hee~p Ġs~heep Ġbi~rd Ġha~re Ġca~t Ġg~re l~f
    Ġwo~lf Ġbe~ar Ġa~nd a~p w~ap Ġs~wap Ġin~c Ġde~c Ġco~py Ġcle~ar Ġga~r Ġb~la ki~ndly ple~ase w~ho g~h ge~r n~ger
    t~le t~tle llow~s Ġfo~llows i~ck q~u qu~ick Ġ~quick Ġsee~s ll~s Ġca~lls Ġki~nd ma~ll Ġs~mall Ġbi~g e~ts Ġme~ets
    Ġhe~ars Ġs~low s~h ke~s ro~u rou~d Ġli~kes Ġp~roud Ġyou~ng Ġfe~ars l~p lp~s Ġhe~lps Ġo~ld Ġno~t Ġt~hat Ġte~ll
    du~l dul~t Ġa~dult co~nd Ġse~cond Ġfi~rst Ġchi~ld Ġw~i c~he o~n fo~od ho~me jo~b Ġfa~r co~lour Ġgo~ld i~lo
    ilo~r Ġmi~ll Ġca~ke t~ter Ġpo~tter ro~w row~n Ġb~rown lu~e Ġb~lue Ġki~ndly lu~m Ġp~lum e~n Ġgre~en g~g Ġe~gg
    le~ase Ġp~lease re~ad Ġb~read se~cret ro~n Ġi~ron r~ple Ġpu~rple hi~te Ġw~hite a~n Ġbe~an Ġbla~ck n~k Ġpi~nk
    ha~na si~l Ġba~sil e~llow Ġy~ellow c~arl Ġmi~nt Ġso~up Ġwi~llow hi~rst Ġt~hirst a~nna p~py Ġpo~ppy in~t li~c
    Ġfa~int Ġgar~lic gu~s u~gh Ġco~ugh Ġpe~ar de~n Ġgar~den Ġoran~ge Ġra~sh Ġgre~y Ġfe~ver h~y hy~me Ġt~hyme d~d
    dd~le Ġsa~ddle n~ne nne~l Ġfe~nnel n~ter u~nter Ġh~unter Ġchi~ll Ġne~ttle r~se Ġa~che Ġho~rse gu~e ti~gue
    Ġfa~tigue Ġbu~rn e~mil ra~mp Ġc~ramp Ġgi~nger Ġhe~n Ġre~d
    """#
}
