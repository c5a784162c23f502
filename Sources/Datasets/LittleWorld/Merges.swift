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
    Ġ~ta Ġ~te Ġ~ti Ġ~to Ġ~tu Ġ~va Ġ~ve Ġ~vi Ġ~vo Ġ~vu Ġ~za Ġ~ze Ġ~zi Ġ~zo Ġ~zu Ġ~c Ġ~h Ġ~i a~r h~e Ġ~a Ġ~o n~d l~l
    Ġ~s Ġc~o Ġ~w Ġh~a Ġ~t i~n Ġ~b Ġt~he Ġ~f h~o Ġ~j Ġc~a c~o Ġ~p Ġo~f o~k h~a Ġ~e Ġha~s Ġi~s lo~u Ġ~d ha~t o~d Ġj~o
    Ġ~g Ġ~k u~n Ġco~in Ġh~o Ġw~o lou~r h~i c~re cre~t Ġ~y Ġi~n l~d m~p c~k u~p ve~s Ġgi~ves r~d lo~w e~nd ri~end
    Ġde~ar Ġf~riend Ġh~e Ġy~o Ġw~ho Ġse~cret Ġfo~od Ġho~me s~t p~le Ġ~m Ġ~l Ġco~lour Ġ~n Ġjo~b n~na ar~s ar~l mi~l
    va~n r~n e~n r~t a~d ra~n Ġo~ran no~w l~y nd~ly a~se u~t te~r Ġc~hi r~st Ġbo~ok co~un coun~t Ġ~= Ġha~t he~e
    Ġke~y Ġc~up Ġla~mp Ġba~ll lo~ok p~s tu~rn so~rt l~low j~o ve~r Ġc~le t~s Ġse~e co~rd en~t ho~w li~n lin~g ll~ne
    llne~s llnes~s pa~ti pati~ent re~cord ru~n Ġ~[ Ġa~nd Ġcoin~s Ġi~llness Ġlo~ad Ġpa~y Ġru~ling Ġs~how Ġto~ok
    Ġha~na Ġa~nna Ġgu~s Ġi~van Ġe~mil Ġbe~n Ġki~m Ġc~arl sa~y Ġfa~y t~he w~hat te~ll bo~ut de~r n~der Ġa~bout
    Ġwo~nder Ġca~n Ġk~now Ġsa~y Ġyo~u Ġw~hat u~se Ġmo~use ro~g Ġf~rog Ġco~w Ġdo~g Ġdu~ck Ġfo~x Ġbi~rd hee~p Ġs~heep
    Ġca~t Ġha~re l~f Ġwo~lf Ġbe~ar a~p w~ap Ġs~wap Ġin~c p~y Ġco~py ki~ndly ple~ase gu~e Ġcle~ar w~ho Ġde~c g~h
    c~he s~h llow~s Ġfo~llows i~ck q~u qu~ick Ġ~quick Ġg~re Ġno~t Ġt~hat Ġte~ll Ġki~nd du~l dul~t Ġa~dult co~nd
    Ġse~cond ma~ll Ġs~mall Ġbi~g Ġhe~ars e~ts Ġme~ets Ġsee~s Ġo~ld ll~s Ġca~lls Ġfi~rst ke~s Ġli~kes Ġs~low Ġfe~ars
    ro~u rou~d Ġp~roud Ġchi~ld l~ps Ġhe~lps un~g Ġyo~ung Ġb~la fo~od ho~me jo~b Ġfa~r o~n co~lour u~r i~lo ilo~r
    Ġmi~ll Ġgo~ld t~ter Ġpo~tter Ġca~ke ro~w row~n Ġb~rown c~h t~ch Ġi~tch Ġra~sh Ġchi~ll ha~na ra~mp Ġc~ramp
    Ġki~ndly hi~rst Ġt~hirst e~ze ne~eze Ġfe~ver Ġs~neeze c~arl gu~s ti~gue Ġfa~tigue u~gh Ġco~ugh a~nna le~ase
    Ġa~che Ġp~lease se~cret ki~m ro~n Ġi~ron e~mil be~n i~van fa~y lu~e Ġb~lue lu~m Ġp~lum ps~y ro~psy Ġd~ropsy
    de~n r~den Ġga~rden Ġgre~en un~ter Ġh~unter re~ad Ġb~read g~g Ġe~gg ge~r n~ger Ġsi~nger ro~up Ġc~roup r~ple
    Ġpu~rple ta~r Ġs~tar e~r w~er Ġto~wer Ġpo~x hi~te l~s ls~y Ġpa~lsy Ġw~hite Ġbla~ck Ġs~now Ġwo~od Ġso~up e~llow
    Ġy~ellow ke~r Ġba~ker n~k Ġpi~nk a~n Ġbe~an l~le
    """#
}
